"""What real buckets have beside the model of protocol.md, in scenarios that are explored within seconds.

Suspended versioning, lifecycle rules, refused cleanups, owners who write to both places: each group of mistakes that
was found there has its scenarios (docs/design/evidence.md).
"""

from dataclasses import replace

from tests.simulation.scenarios import F, K, P, R, listed
from tests.simulation.world import Scenario


def calm(scenario: Scenario) -> Scenario:
    """Without crashes and duplicates, with time that passes."""
    return replace(scenario, crashes=0, duplicates=0, is_dated=True)


def alone(scenario: Scenario) -> Scenario:
    """With one worker."""
    return replace(calm(scenario), workers=1)


def in_turn(scenario: Scenario) -> Scenario:
    """The operators' jobs come after all events, one after the other."""
    return replace(calm(scenario), jobs_last=True)


def whole(scenario: Scenario) -> Scenario:
    """Every version is carried, from one bucket that keeps versions to another."""
    return replace(scenario, versioned=True, target_versioned=True, histories=True)


BUCKETS = {
    scenario.name.split()[0]: scenario
    for scenario in (
        # S: version null is destroyed by a delete while versioning is suspended.
        calm(Scenario("W01 suspended, cleanup", ("A", "suspend", "B"), jobs=(K,), versioned=True, knows_itself=False)),
        in_turn(Scenario("W02 suspended, cleanup and rollback", ("A", "suspend", "B"), jobs=(K, R, P), versioned=True)),
        in_turn(Scenario("W03 suspended from the start", ("suspend", "A"), jobs=(K, R, P), versioned=True)),
        calm(Scenario("W04 suspended, cleanup and delete", ("suspend", "A", "del"), jobs=(K,), versioned=True)),
        in_turn(Scenario("W05 suspended after the copy", ("A", "suspend"), jobs=(K, R, P), versioned=True)),
        # A: what our marker hid is removed for good.
        in_turn(Scenario("W10 noncurrent versions expire", ("A", "clear"), jobs=(K, R, P), versioned=True)),
        in_turn(Scenario("W11 and the marker too", ("A", "clear", "unmark"), jobs=(K, R, P), versioned=True)),
        alone(Scenario("W12 a version destroyed", ("A", "B", "destroy"), jobs=(K,), versioned=True)),
        alone(Scenario("W13 a version destroyed, rollback", ("A", "B", "destroy"), jobs=(K, R, P), versioned=True)),
        # B: every version is carried.
        whole(alone(Scenario("W80 three versions", ("A", "B", "A")))),
        whole(alone(Scenario("W81 a delete between", ("A", "del", "A")))),
        whole(alone(Scenario("W82 deleted in the end", ("A", "A", "del"), lost_answers=1))),
        whole(alone(Scenario("W83 answers are lost", ("A", "A"), lost_answers=1))),
        replace(whole(alone(Scenario("W84 an attempt dies", ("A", "A")))), crashes=1),
        whole(alone(Scenario("W85 sent twice", ("A", "A"), doubled=1))),
        whole(calm(Scenario("W86 two workers", ("A", "B")))),
        whole(alone(Scenario("W87 another writer", ("A", "B"), foreign=("X",)))),
        whole(in_turn(Scenario("W88 cleanup, put again, rollback", ("A", "B"), jobs=(K, R, P), workers=1))),
        whole(alone(Scenario("W89 a row of what has a history", ("A", "del"), source="B", jobs=(listed("B"),)))),
        whole(alone(Scenario("W90 cleanup, put, delete", ("A", "B", "del"), jobs=(K,)))),
        whole(alone(Scenario("W91 cleanup, the same again, delete", ("A", "A", "del"), jobs=(K,)))),
        whole(alone(Scenario("W92 cleanup without an answer, put", ("A", "B"), jobs=(K,), lost_answers=1))),
        # M: the owner deletes after our cleanup.
        alone(Scenario("W20 cleanup, delete, rollback", ("A", "del"), jobs=(K, R), versioned=True, lost_answers=1)),
        alone(Scenario("W21 cleanup, put, delete, rollback", ("A", "B", "del"), jobs=(K, R), versioned=True)),
        alone(
            Scenario(
                "W22 lost answer, put, delete, rollback",
                ("A", "B", "del"),
                jobs=(K, R),
                versioned=True,
                lost_answers=1,
            )
        ),
        alone(Scenario("W23 versions forgotten, delete, rollback", ("A", "del"), jobs=(K, F, R), versioned=True)),
        # N: a cleanup that never sent its delete.
        calm(Scenario("W30 refused cleanup and delete", ("A", "del"), jobs=(K,), refusals=1)),
        alone(Scenario("W31 refused cleanup, delete, rollback", ("A", "del"), jobs=(K, R), refusals=1)),
        alone(Scenario("W32 refused cleanup, versioned", ("A", "del"), jobs=(K, R), refusals=1, versioned=True)),
        # D: objects that keyshift did not create.
        calm(Scenario("W40 who writes to both places", ("A", ">", "del"))),
        calm(Scenario("W41 who writes to both places, row", (">", "del"), source="A", jobs=(listed("A"),))),
        calm(Scenario("W42 who writes to both places, rollback", ("A", ">"), jobs=(R, P), target_versioned=True)),
        calm(Scenario("W43 equal bytes over a versioned copy", ("A", "B"), foreign=("A*",), target_versioned=True)),
        calm(Scenario("W44 equal bytes, delete", ("A", "del"), foreign=("A*",), target_versioned=True)),
        calm(Scenario("W45 equal bytes, purge", ("A",), foreign=("A*",), jobs=(R, P), target_versioned=True)),
        calm(Scenario("W46 equal bytes, told by their date", ("A", "B"), foreign=("A*",), told_by_date=True)),
        calm(Scenario("W47 equal bytes, date, delete", ("A", "del"), foreign=("A*",), told_by_date=True)),
        calm(Scenario("W48 equal bytes, date, purge", ("A",), foreign=("A*",), jobs=(R, P), told_by_date=True)),
        # V: null, a version and none.
        in_turn(Scenario("W50 versioning switched on after the copy", ("A", "enable"), jobs=(K,), cleans=True)),
        in_turn(Scenario("W51 and rollback", ("A", "enable"), jobs=(K, R, P))),
        in_turn(
            Scenario(
                "W52 no version told of what was read",
                ("enable",),
                source="A",
                jobs=(listed("A"), K),
                tells_read_version=False,
                versioned=True,
                cleans=True,
            )
        ),
        in_turn(Scenario("W53 suspended, cleaned", ("suspend", "A"), jobs=(K,), versioned=True, cleans=True)),
        # X: the source's own lifecycle.
        calm(Scenario("W60 the object expires", ("A", "expire"))),
        calm(Scenario("W61 the object expires, versioned", ("A", "expire"), versioned=True)),
        calm(Scenario("W62 the object expires, suspended", ("suspend", "A", "expire"), versioned=True)),
    )
}
