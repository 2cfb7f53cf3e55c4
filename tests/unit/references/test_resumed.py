"""Where a rewriting of a table goes on, and when it begins again."""

from dataclasses import replace

import pytest

from domain.errors import AccessDeniedError, ThrottledError
from domain.references.ports import ScanPosition
from domain.references.reports import ReferenceOutcome
from handlers.operations.references import TableScan
from tests.fakes.references import PAGE
from tests.worlds.items import OLD, new_world
from tests.worlds.referring import ReferringWorld

SEGMENTS = 3
AFRESH = TableScan(segments=SEGMENTS, dry_run=False)
RESUMED = TableScan(segments=SEGMENTS, dry_run=False, resume=True)


def rewritten(world: ReferringWorld, how: TableScan) -> int:
    """How many references a run rewrote."""
    return len([one for one in world.references.scan([world.jobs], how) if one.outcome is ReferenceOutcome.REWRITTEN])


def finished() -> ReferringWorld:
    """A table that a run has rewritten to its end, in which the application has written an old URI since."""
    world = new_world("old//a")
    for number in range(9):
        world.put_job(str(number), uri={"S": OLD})
    assert rewritten(world, AFRESH) == 9
    world.put_job("0", uri={"S": OLD})
    return world


def test_a_resumed_run_after_one_that_ended_sees_everything() -> None:
    """What waited then, and what the application wrote since, is not passed over as done."""
    world = finished()
    assert rewritten(world, RESUMED) == 1


def test_a_run_that_begins_again_forgets_the_end_of_the_one_before() -> None:
    """It is stopped at its first page: the resumed one reads every segment, also those not begun yet."""
    world = finished()
    for number in range(9):
        world.put_job(str(number), uri={"S": OLD})
    world.tables.fail_next(AccessDeniedError("no"), call="scan_items")
    with pytest.raises(AccessDeniedError):
        list(world.references.scan([world.jobs], TableScan(segments=SEGMENTS, dry_run=False)))
    list(world.references.scan([world.jobs], RESUMED))
    assert all(world.job(str(number))["uri"] != {"S": OLD} for number in range(9))


def test_a_resumed_run_reads_finished_pages_not_again() -> None:
    """One segment was stopped at its second page: the first one's items are left as they are."""
    world = new_world("old//a")
    for number in range(3 * PAGE):
        world.put_job(str(number), uri={"S": OLD})
    world.tables.fail_nth(1, ThrottledError("slow"), call="scan_items")
    alone = TableScan(segments=1, dry_run=False)
    with pytest.raises(ThrottledError):
        list(world.references.scan([world.jobs], alone))
    world.put_job("0", uri={"S": OLD})
    assert rewritten(world, replace(alone, resume=True)) == 2 * PAGE
    assert world.job("0")["uri"] == {"S": OLD}


def test_what_was_read_under_other_rules_is_read_again() -> None:
    """They may name other places in the same items; under the same rules only the open segment is read."""
    world = finished()
    for number in range(9):
        world.put_job(str(number), uri={"S": OLD})
    for scan_id in list(world.tables.positions):
        world.tables.positions[scan_id] = ScanPosition(done="#0-of-" not in scan_id)
    changed = replace(world.references, rules=replace(world.rules, digest="another"))
    assert 0 < rewritten(world, RESUMED) < 9
    for number in range(9):
        world.put_job(str(number), uri={"S": OLD})
    assert len(list(changed.scan([world.jobs], RESUMED))) == 9
