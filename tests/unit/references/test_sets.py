"""String sets whose members are JSON texts: what is switched in one of them changes no other, in either direction."""

import json

import pytest

from domain.references.item_rewriting import TWICE
from domain.references.reports import ReferenceOutcome
from tests.worlds.items import NEW, OLD, new_world, rewrite
from tests.worlds.referring import ReferringWorld


def text(uri: str, **more: object) -> str:
    """A JSON text of the declared shape."""
    return json.dumps({"model": {"uri": uri}, **more})


def members(world: ReferringWorld) -> set[str]:
    """The set now."""
    return set(world.job()["config"]["SS"])


@pytest.mark.parametrize("other", [json.dumps({"list": [NEW]}), NEW])
def test_a_switch_in_one_text_adds_no_member_to_the_set(other: str) -> None:
    """Another member holds the new URI at another place, or is it: the set keeps its two members."""
    world = new_world("old//a")
    before = world.put_job(config={"SS": [text(OLD), other]})
    assert [one.outcome for one in rewrite(world) if one.reference.uri == OLD] == [ReferenceOutcome.REWRITTEN]
    assert members(world) == {text(NEW), other}
    assert ReferenceOutcome.RESTORED in {one.outcome for one in world.references.undo_references()}
    assert members(world) == set(before["config"]["SS"])


@pytest.mark.parametrize("more", [{}, {"n": 1}])
def test_a_set_whose_texts_an_undo_could_not_tell_apart_is_not_rewritten(more: dict[str, object]) -> None:
    """Another text has the new URI at the very place: it would get the old one, or the two would become one."""
    world = new_world("old//a")
    before = world.put_job(config={"SS": [text(OLD), text(NEW, **more)]})
    (report,) = rewrite(world)
    assert (report.outcome, report.why.startswith(TWICE)) == (ReferenceOutcome.HOLDS, True)
    assert world.job() == before
    assert [one.uri for one in world.references.find_references()] == [OLD]


def test_one_uri_in_two_texts_is_switched_and_put_back_in_both() -> None:
    """At the same place of each."""
    world = new_world("old//a")
    before = world.put_job(config={"SS": [text(OLD), text(OLD, n=1)]})
    rewrite(world)
    assert members(world) == {text(NEW), text(NEW, n=1)}
    list(world.references.undo_references())
    assert members(world) == set(before["config"]["SS"])


def test_a_text_that_says_a_name_twice_is_left_to_its_owner() -> None:
    """Readers disagree which of the two counts, and an undo could not tell them apart."""
    world = new_world("old//a")
    before = world.put_job(config={"S": f'{{"list": ["{OLD}"], "list": ["{NEW}"]}}'})
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.HOLDS]
    assert world.job() == before
