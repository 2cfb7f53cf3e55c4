"""A record survives its way through DynamoDB's attributes."""

from dataclasses import MISSING, fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.dynamodb.record_item import is_record, order_text, to_item, to_record
from domain.keys import Sequencer
from domain.protocol.record import Record
from tests.contract.records import records


@given(records())
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    """Every field, with the digits of every time."""
    assert to_record(to_item(record)) == record


@given(records())
def test_no_attribute_is_null_or_nameless(record: Record) -> None:
    """What a record has not is not in its item, so that conditions can ask for it."""
    item = to_item(record)
    assert is_record(item)
    assert all(set(value) <= {"S", "N", "L", "M"} for value in item.values())
    assert ("token" in item) == (record.claim is not None)
    assert ("maybe" in item) == bool(record.maybe)
    assert ("sequencer_order" in item) == (record.sequencer is not None)


hexadecimal = st.text("0123456789abcdefABCDEF", min_size=1, max_size=40)


@given(hexadecimal, hexadecimal)
def test_order_texts_compare_as_the_domain_does(one: str, other: str) -> None:
    """``size`` and ``<`` on the order text say what ``is_at_most`` says."""
    first, second = Sequencer(one), Sequencer(other)
    same_length = len(order_text(first)) == len(order_text(second))
    assert first.is_at_most(second) == (same_length and not order_text(second) < order_text(first))


@given(records(), st.data())
def test_a_record_of_an_earlier_or_later_version_is_read(record: Record, data: st.DataObject) -> None:
    """An attribute that an earlier version did not know is its default; one of a later version is not looked at."""
    without = data.draw(st.sampled_from(sorted(ADDED)))
    item = to_item(record) | {"of_a_later_version": {"S": "x"}}
    item.pop(without, None)
    assert to_record(item) == replace(record, **{without: ADDED[without]})


_OF_THE_FIRST = ("revision", "state", "mode", "claim", "rule", "rules_digest", "changed_at")
ADDED: dict[str, Any] = {
    one.name: one.default for one in fields(Record) if one.default is not MISSING and one.name not in _OF_THE_FIRST
}
"""The fields that a version may lack, and their defaults."""
