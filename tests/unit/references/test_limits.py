"""One write within DynamoDB's limits for expressions, and one item that is refused without stopping the others."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.dynamodb.references import update_of
from domain.errors import AccessDeniedError, RefusedRequestError
from domain.references.item_rewriting import chunks_of
from domain.references.items import Edit, Switch, edits_of
from domain.references.ports import ItemChange
from domain.references.reports import ReferenceOutcome
from tests.worlds.items import OLD, new_world, rewrite
from tests.worlds.referring import REFERRING_RULES, ReferringWorld

PLACES = ("d" + ".*" * 12 + ".uri", "*-uri", "many[*]")
DEEP = REFERRING_RULES.replace('      - "steps[*].uri"\n', "".join(f'      - "{one}"\n' for one in PLACES))


def deep_world(rules: str = DEEP) -> ReferringWorld:
    """Places twelve names deep, and as many attributes as there are."""
    world = ReferringWorld(rules=rules)
    world.put("old//a")
    world.migrate("old//a")
    return world


def nested(number: int) -> dict[str, Any]:
    """A map in which this many URIs stand deep below names of their own."""
    value: dict[str, Any] = {}
    for at in range(number):
        inner: dict[str, Any] = {"M": {"uri": {"S": OLD}}}
        for depth in range(11):
            inner = {"M": {f"n{at}-{depth}": inner}}
        value[f"n{at}"] = inner
    return {"M": value}


def _attributes(names_of_them: Iterable[str]) -> dict[str, Any]:
    return {name: {"S": OLD} for name in names_of_them}


def expressions(change: ItemChange) -> tuple[str, str]:
    """As they are sent."""
    update = update_of(change)
    return update["UpdateExpression"], update["ConditionExpression"]


def fits(expression: str) -> bool:
    """4 KB of text, 300 operators (developer guide, Constraints, expression parameters)."""
    operators = len(re.findall(r"[=.\[]|AND", expression))
    return len(expression.encode()) <= 4_096 and operators <= 300


@pytest.mark.parametrize("number", [3, 30, 40])
def test_deep_places_are_written_within_an_expression(number: int) -> None:
    """Forty edits may be far more than 4 KB: then the attribute is written as a whole, in the same one write."""
    world = deep_world()
    before = world.put_job(d=nested(number))
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.REWRITTEN] * number
    (change,) = world.tables.changes
    assert all(fits(one) for one in expressions(change))
    list(world.references.undo_references())
    assert world.job() == before


@pytest.mark.parametrize(("number", "writes"), [(98, 1), (99, 2), (400, 5)])
def test_more_attributes_than_an_expression_holds_take_several_writes(number: int, writes: int) -> None:
    """Each is complete in itself, and so is each undo."""
    world = deep_world()
    before = world.put_job(**_attributes(f"{at}-uri" for at in range(number)))
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.REWRITTEN] * number
    assert len(world.tables.changes) == writes
    assert all(fits(one) for change in world.tables.changes for one in expressions(change))
    assert {one.outcome for one in world.references.undo_references()} == {ReferenceOutcome.RESTORED}
    assert world.job() == before


def test_what_moved_to_many_attributes_is_put_back_in_several_writes() -> None:
    """One entry of the journal, and no reference of it is left for another run."""
    world = deep_world(DEEP.replace('"many[*]"', '"*[*]"'))
    world.put_job(many={"L": [{"S": OLD}] * 120})
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.REWRITTEN] * 120
    moved: dict[str, Any] = {f"m{at}": {"L": [{"S": "s3://line-1/new/a"}]} for at in range(120)}
    world.put_job(**moved)
    assert [one.outcome for one in world.references.undo_references()] == [ReferenceOutcome.RESTORED] * 120
    assert all(fits(one) for change in world.tables.changes for one in expressions(change))
    assert all(value in ({"L": [{"S": OLD}]}, {"S": "1"}) for value in world.job().values())


names = st.sampled_from(["a", "b", "names of some length"]) | st.text(min_size=1, max_size=3)
steps = st.one_of(names, st.integers(0, 10_000))
rests = st.lists(steps, max_size=5) | st.lists(steps, min_size=15, max_size=30)
places = st.builds(lambda first, rest: (first, *rest), names, rests)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=25)
@given(found=st.sets(places, min_size=20, max_size=130))
def test_the_edits_of_any_chunk_fit_an_expression(found: set[tuple[str | int, ...]]) -> None:
    """However deep and however many the places are."""
    free = [one for one in found if not any(other != one and one[: len(other)] == other for other in found)]
    kinds = {one[:at]: type(one[at]) for one in free for at in range(1, len(one))}
    free = [one for one in free if all(isinstance(one[at], kinds[one[:at]]) for at in range(1, len(one)))]
    switches = [Switch(one, None, "s3://b/o", "s3://b/n", f"r{at}") for at, one in enumerate(free)]
    for chunk in chunks_of(switches):
        part = [switches[at] for at in chunk]
        edits = edits_of(_item(free), part)
        assert _reach(edits, part)
        change: Any = type("Change", (), {"table": "t", "key": {}, "edits": edits})()
        assert all(fits(one) for one in expressions(change))


def _item(found: list[tuple[str | int, ...]]) -> dict[str, Any]:
    item: dict[str, Any] = {"M": {}}
    for place in found:
        at = item
        for step, following in zip(place, [*place[1:], None], strict=True):
            fresh: dict[str, Any] = {"S": "s3://b/o"}
            if following is not None:
                fresh = {"M": {}} if isinstance(following, str) else {"L": []}
            if isinstance(step, str):
                at = at["M"].setdefault(step, fresh)
            else:
                at["L"] += [{"NULL": True}] * (step + 1 - len(at["L"]))
                if at["L"][step] == {"NULL": True}:
                    at["L"][step] = fresh
                at = at["L"][step]
    return dict(item["M"])


def _reach(edits: list[Edit], switches: list[Switch]) -> bool:
    return all(any(one.place[: len(edit.place)] == edit.place for edit in edits) for one in switches)


REFUSED = RefusedRequestError("TransactWriteItems on jobs: ValidationException (Size of hashkey has exceeded)")


def test_an_item_that_dynamodb_refuses_is_told_and_the_scan_goes_on() -> None:
    """It holds its object, with AWS's reason; every other item of the segment is rewritten."""
    world = new_world("old//a")
    for number in range(5):
        world.put_job(str(number), uri={"S": OLD})
    world.tables.fail_next(REFUSED, call="change_item")
    reports = world.rewrite_tables()
    refused = [one for one in reports if one.outcome is ReferenceOutcome.HOLDS]
    assert [(one.reference.holder, one.why) for one in refused] == [("table jobs id=0", str(REFUSED))]
    assert [one.outcome for one in reports if one not in refused] == [ReferenceOutcome.REWRITTEN] * 4
    assert len(list(world.references.find_references())) == 1


def test_an_item_that_dynamodb_refuses_keeps_no_other_from_its_undo() -> None:
    """It is told as not put back."""
    world = new_world("old//a")
    for number in range(3):
        world.put_job(str(number), uri={"S": OLD})
    world.rewrite_tables()
    world.tables.fail_next(REFUSED, call="change_item")
    outcomes = [(one.outcome, one.why) for one in world.references.undo_references()]
    assert sorted(outcomes) == sorted([(ReferenceOutcome.LOST, str(REFUSED)), *[(ReferenceOutcome.RESTORED, "")] * 2])


def test_what_no_item_may_do_still_ends_the_scan() -> None:
    """A missing permission would be told of a million items."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD})
    world.tables.fail_next(AccessDeniedError("no"), call="change_item")
    with pytest.raises(AccessDeniedError):
        world.rewrite_tables()
