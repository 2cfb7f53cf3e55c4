"""What keeps references right: the function that follows what happens, the command that rewrites, and the undo."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from domain.errors import KeyshiftError
from domain.references.reports import ReferenceOutcome, Reported, Wait
from domain.runs.works import Work
from handlers.bootstrap.operations import UndoneReferences
from handlers.reference_events import respond
from tests.simulation.whole.actors import POLL_SECONDS
from tests.simulation.whole.application import TABLE
from tests.simulation.whole.run_commands import rewrite_by_functions, undo_by_functions
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.site import Site

BY_FUNCTIONS = 0.6
"""How many of the rewritings functions do, where there are any."""
TAKEN_BACK = 0.2
"""How many of the first rewritings an operator has taken back."""
PASSING = frozenset({Wait.BUSY, Wait.ATTEMPT_RUNS, Wait.NO_TIME, Wait.BROKEN_OFF, Wait.OBJECT_UNSETTLED})
"""Why a reference waits where a later run comes further by itself."""
STREAM = f"arn:aws:dynamodb:eu-west-1:111122223333:table/{TABLE}/stream/1"


def follows_references(site: Site, process: Process) -> None:
    """The reference function with its two sources: the stream of the application's table, and the audit bus."""
    references = site.references(process)
    while not site.closing:
        try:
            if site.followed < len(site.application.stream):
                images = site.application.stream[site.followed : site.followed + 5]
                entries = [_entry(site.followed + number, image) for number, image in enumerate(images)]
                failures = respond({"Records": entries}, references)["batchItemFailures"]
                process.sleep(0.01)  # a crash here makes the batch come again
                site.followed = int(failures[0]["itemIdentifier"]) if failures else site.followed + len(entries)
                if failures:
                    process.sleep(POLL_SECONDS)
            elif site.heard < len(site.bus.events):
                event = site.bus.events[site.heard]
                respond({"detail": event.detail}, references)
                site.heard += 1
            else:
                process.sleep(POLL_SECONDS)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)


def _entry(number: int, image: Any) -> dict[str, Any]:
    images = {"SequenceNumber": str(number)} | ({"NewImage": image} if image is not None else {})
    return {"eventSourceARN": STREAM, "dynamodb": images}


def rewrites_references(site: Site, process: Process) -> None:
    """``keyshift references rewrite``, now and then; an operator may have functions take it back in between."""
    while not site.closing:
        process.sleep(site.random.uniform(20, 200))
        is_early = site.scheduler.time < site.plan.seconds
        try:
            if site.plan.engine and is_early and site.random.random() < TAKEN_BACK:
                undo_by_functions(site, process)
            else:
                rewrite_once(site, process)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)


def rewrite_once(site: Site, process: Process) -> bool:
    """One run over the application's table, and the manifests; whether a later one would come no further.

    Functions do it now and then; during a pause they would leave it alone.
    """
    if site.plan.engine and not site.panel.control.paused and site.random.random() < BY_FUNCTIONS:
        rows = rewrite_by_functions(site, process)
        return not any(row["outcome"] == ReferenceOutcome.WAITING for row in rows)
    return not any(one.wait in PASSING for one in _rewrite_here(site, process))


def _rewrite_here(site: Site, process: Process) -> list[Reported]:
    """The same without a run, and without slices."""
    references = site.references(process)
    tables = [
        (table, page) for table in references.tables() for page in references.ports.tables.scan_items(table.table)
    ]
    told = [one for table, page in tables for item in page.items for one in references.rewrite(table, item)]
    return [*told, *(references.manifests.scan(dry_run=False) if references.manifests is not None else ())]


def finishes_references(site: Site, process: Process) -> None:
    """The command before the cut-over: until a run has ended, and met no other attempt at an object or a manifest."""
    while True:
        with suppress(KeyshiftError):
            since, is_through = site.scheduler.time, rewrite_once(site, process)
            told = _rewrite_here(site, process) if site.plan.engine else []
            if is_through and site.run_promises.has_begun_since(Work.REWRITE, since):
                _check_nothing_is_left(site, told)
            if is_through and not any(one.wait in PASSING for one in told):
                return
        process.sleep(POLL_SECONDS)


def _check_nothing_is_left(site: Site, told: Sequence[Reported]) -> None:
    """A process that knows neither runs nor slices finds nothing in tables that a run which ended has left."""
    for one in told:
        if one.outcome is ReferenceOutcome.REWRITTEN and one.reference.path:
            site.run_promises.left(Work.REWRITE, f"{one.reference.holder} {one.reference.path}")


def undoes_references(site: Site, process: Process) -> None:
    """``keyshift references undo``, until a run has ended; what cannot be put back then is ``site.lost``.

    Functions may have done it before, so far as they came.
    """
    if site.plan.engine:
        with suppress(KeyshiftError):
            undo_by_functions(site, process)
    undo = UndoneReferences(site.references(process))
    while True:
        try:
            site.lost = tuple((one.place, one.why) for one in undo.undo_references() if one.why)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)
        else:
            return
