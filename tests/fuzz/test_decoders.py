"""No decoder of outside input ever falls over, and no key is decoded to another one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.protocol.notices import Notice
from handlers.intake.messages import BackfillRow, decode_message, encode_backfill
from tests.fuzz.decoders import DECODERS, Decoder, recorded
from tests.fuzz.growing import grown

pytestmark = pytest.mark.slow("searches for inputs; what was found is held by the decoders' own tests")

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@dataclass(frozen=True)
class Drawn:
    """Dice that Hypothesis can shrink."""

    data: st.DataObject

    def below(self, sides: int) -> int:
        """See Dice."""
        return self.data.draw(st.integers(0, sides - 1))


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_no_input_makes_a_decoder_fall_over(decoder: Decoder) -> None:
    """Whatever is changed in a recorded input: it is decoded, or refused with a sentence of ours."""

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def fed(data: st.DataObject) -> None:
        decoder.try_once(Drawn(data))

    fed()


def _shapes(key: str) -> Iterator[tuple[str, str]]:
    """The key in each transport, as AWS writes it there."""
    direct: dict[str, Any] = {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "b"}, "object": {"key": quote_plus(key, safe="/"), "eTag": "e", "size": 1}},
            }
        ]
    }
    percent = json.loads(json.dumps(direct))
    percent["Records"][0]["s3"]["object"]["key"] = quote(key)
    bus = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": key}},
    }
    (rows,) = encode_backfill([BackfillRow(key=key)], migration="m", bucket="b")
    yield "direct", json.dumps(direct)
    yield "direct, a space as %20", json.dumps(percent)
    yield "bus", json.dumps(bus)
    yield "rows", rows
    yield "topic", json.dumps({"Type": "Notification", "Message": json.dumps(direct)})


@given(KEYS)
def test_every_transport_gives_the_same_key(key: str) -> None:
    """Keys are URL-decoded exactly once where they are encoded, and never elsewhere (aws-facts.md §1.1, §1.2)."""
    for shape, body in _shapes(key):
        notices: tuple[Notice, ...] = decode_message(body).notices
        assert [notice.source.key for notice in notices] == [key], shape


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_growing_changes_something(data: st.DataObject) -> None:
    """The growth is no identity: over a recorded body most draws differ from it."""
    body = recorded()[0]
    assert any(grown(body, Drawn(data)) != body for _ in range(5))
