"""Run one plan to its rest and say what was found."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, getstate, seed, setstate

from domain.audit.events import audit_event
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import Difference
from domain.reporting.progress import RECORDS
from tests.simulation.whole.actors import (
    Body,
    cleans_up,
    employ,
    fills_back,
    finishes_cleanup,
    follows_the_stream,
    purges,
    rolls_back,
    works_on,
)
from tests.simulation.whole.capturing import rewrite_notifications
from tests.simulation.whole.deployments import OF_PROPERTIES, redeploy, replace_functions, take_permissions
from tests.simulation.whole.dice import SeededDice
from tests.simulation.whole.functions import works_on_runs
from tests.simulation.whole.losses import CLASS, KEY, LOCK
from tests.simulation.whole.migrators import begins, cuts_over, interferes, migrates, starts
from tests.simulation.whole.operators import (
    cleans_by_command,
    decides,
    finishes_by_command,
    pauses,
    purges_by_command,
    replays_the_dead,
    requeues,
    restores,
    resumes,
    rolls_back_by_command,
    says_what_is,
    trips,
    verifies,
)
from tests.simulation.whole.people import People
from tests.simulation.whole.plans import Plan
from tests.simulation.whole.referrers import (
    finishes_references,
    follows_references,
    rewrites_references,
    undoes_references,
)
from tests.simulation.whole.reports import deliver_report
from tests.simulation.whole.rest import AtRest
from tests.simulation.whole.run_commands import cancels, ends_runs
from tests.simulation.whole.scheduler import EPOCH, Process, StuckError
from tests.simulation.whole.second import lives_and_goes_back
from tests.simulation.whole.site import LONGEST_CLAIM, MARGIN_SECONDS, REQUEST_SECONDS, Site
from tests.simulation.whole.truth import Writer, value_of

LOSSES = {Difference.STORAGE_CLASS: CLASS, Difference.ENCRYPTION: KEY, Difference.LOCK: LOCK}
"""How verification names what a copy lacks."""
MOST_WAITS = 5
"""Receives: a message that met nothing but claims of other workers is renewed by then."""
SETTLED_SECONDS = 40_000.0
"""Far longer than everything that may wait: claims, visibility time-outs, replays."""


@dataclass
class Found:
    """What one run did, and what is wrong."""

    plan: Plan
    steps: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    broken: list[tuple[str, str]] = field(default_factory=list)
    trace: str = ""
    excused: Counter[str] = field(default_factory=Counter)
    """How often the judge needed each excuse."""


def run(plan: Plan, *, told: bool = False) -> Found:
    """The whole life of one migration; with its trace where it is broken or ``told`` is wanted."""
    random = Random(plan.seed)
    dice = SeededDice(random, plan.fault_rate, REQUEST_SECONDS, plan.longest_stall, plan.kinds)
    site = Site(plan, dice, random)
    return observed(site, lambda: _live(site, dice), told=told)


def observed(site: Site, live: Callable[[], None], *, told: bool = False) -> Found:
    """Let it live, and check what is left at its rest."""
    plan = site.plan
    site.crashes().clear()
    state = getstate()
    seed(plan.seed)  # the handlers' own jitter
    try:
        live()
        if site.healthy:
            _check_at_rest(site)
    except StuckError as stuck:
        site.truth.broken.append(("", f"I7 {stuck}: {_what_is_left(site)}"))
    finally:
        setstate(state)
        site.closing = True
        site.scheduler.close()
    broken = [*site.truth.broken, *(("", f"an unexpected exception: {text}") for text in site.crashes())]
    word = broken[0][0].rpartition("/")[2] if broken else ""
    trace = site.scheduler.trace.readable(word) if broken or told else ""
    return Found(plan, site.scheduler.steps, dict(site.scheduler.faults), broken, trace, site.truth.excused)


def _live(site: Site, dice: SeededDice) -> None:
    plan, random, people = site.plan, site.random, People(site)
    people.begin()
    employ_everybody(site, cleanup_at=random.random() * plan.seconds, rollback_at=random.random() * plan.seconds * 1.5)
    ends = plan.seconds * 1.5 + 1
    until(site, lambda: site.scheduler.time > ends and not people.left)
    dice.calm = True
    settle(site)


def employ_everybody(  # noqa: C901, PLR0912  # a list of who may come
    site: Site, *, cleanup_at: float, rollback_at: float
) -> None:
    """Start the functions and commands of the plan."""
    plan = site.plan
    for number in range(plan.workers):
        employ(site, f"worker-{number}", works_on("backfill" if number % 3 == 1 else "events"))
    if plan.workers == 1:
        employ(site, "worker-b", works_on("backfill"))
    employ(site, "stream", follows_the_stream)
    employ(site, "dead-letters", replays_the_dead)
    if plan.backfill or plan.gated:
        employ(site, "backfill", fills_back)
    employ_operators(site)
    employ_functions(site)
    if plan.items:
        employ(site, "references", follows_references)
    if plan.manifests or (plan.items and plan.rewrites):
        employ(site, "rewrite", rewrites_references)
    if plan.verifies:
        employ(site, "verify", verifies)
    if plan.decides:
        employ(site, "decide", decides)
    for number in range(plan.pauses):
        at = site.random.random() * plan.seconds
        site.scheduler.at(at, lambda number=number: _employ(site, f"pause-{number}", pauses))  # type: ignore[misc]
    for number in range(plan.trips):
        at = site.random.random() * plan.seconds
        site.scheduler.at(at, lambda number=number: _employ(site, f"breaker-{number}", trips))  # type: ignore[misc]
    for _ in range(plan.redeploys):
        redeploy(site, site.random.random() * plan.seconds)
    if plan.cleanup:
        cleans = cleans_by_command if plan.by_command else cleans_up
        site.scheduler.at(cleanup_at, lambda: _employ(site, "cleanup", cleans))
    for _ in range(plan.roles):
        take_permissions(site, site.random.random() * plan.seconds)
    for _ in range(plan.property_roles):
        take_permissions(site, site.random.random() * plan.seconds, OF_PROPERTIES)
    if plan.rollback and not plan.afterwards:
        site.scheduler.at(rollback_at, lambda: _employ(site, "rollback", rolls_back_of(plan)))


def employ_functions(site: Site) -> None:
    """Those of stage work, and an operator who cancels what they do."""
    plan = site.plan
    for name in site.stage_queues:
        for number in range(plan.engine):
            employ(site, f"{name}-{number}", works_on_runs(name))
    for number in range(plan.cancels if plan.engine else 0):
        at = site.random.random() * plan.seconds * 1.5
        site.scheduler.at(at, lambda number=number: _employ(site, f"cancel-{number}", cancels))  # type: ignore[misc]


def employ_operators(site: Site) -> None:
    """Those who start and cut over, and what happens to their gates meanwhile."""
    plan, random = site.plan, site.random
    for _ in range(plan.replaced):
        replace_functions(site, random.random() * plan.seconds)
    if not plan.gated:
        return
    employ(site, "operator-a", begins if plan.trusts else migrates)
    for number in range(plan.operators):
        employ(site, f"operator-{number}", interferes)
    for _ in range(plan.terraform):
        rewrite_notifications(site, random.random() * plan.seconds)
    for _ in range(plan.reports):
        site.scheduler.at(random.random() * plan.seconds / 4, lambda: deliver_report(site))
    if plan.second:
        employ(site, "second", lives_and_goes_back)


def rolls_back_of(plan: Plan) -> Body:
    """Rollback as the plan wants it; the command puts references back by itself."""
    if plan.by_command:
        return rolls_back_by_command

    def body(site: Site, process: Process) -> None:
        rolls_back(site, process)
        undoes_references(site, process)

    return body


def settle(site: Site) -> None:
    """Nobody writes and nothing fails any more: everything comes to its end."""
    plan = site.plan
    until(site, lambda: site.deployed is site.rules)
    _prepare_buckets(site)
    _finish(site, "resume", resumes)
    if plan.gated:
        until(site, lambda: not site.wire.is_broken)
        _finish(site, "start-2", starts)
    until(site, lambda: _is_quiet(site))
    if plan.trusts:
        _check_filled(site)
    if not plan.rollback or plan.afterwards:
        _settle_forward(site, "2")
    if plan.afterwards:
        people = People(site)
        people.speak_again()
        until(site, lambda: not people.left)
        until(site, lambda: _is_quiet(site))
        if not plan.rollback:
            _settle_forward(site, "3")
    if plan.rollback:
        _settle_back(site)
    else:
        _finish(site, "verify-2", says_what_is)
    if plan.engine:
        _finish(site, "end-runs", ends_runs)
        until(site, lambda: all(queue.is_empty for queue in site.stage_queues.values()))
    # A rewriting that was killed this late is gone on with by the next one; there is none after a rollback.
    until(site, lambda: _is_quiet(site) and (plan.rollback or not plan.manifests or not _are_left(site)))


def _check_filled(site: Site) -> None:
    """One backfill after the start, and the events since: that is everything, before anything is repaired."""
    until(site, lambda: bool(site.filled) and _is_quiet(site))
    at_rest = AtRest(site.truth, site.store)
    for key in site.truth.keys.values():
        for text in at_rest.faults(key):
            site.truth.fault(key, f"G7 after a start and its backfill: {text}")


def _prepare_buckets(site: Site) -> None:
    """What copies need: a target bucket with Object Lock, and objects that can be read."""
    if site.plan.locks_later:
        site.enable_locks()
    if site.properties is not None:
        employ(site, "restores", restores)


def _settle_back(site: Site) -> None:
    """What operators do until everything is taken back."""
    plan = site.plan
    _finish(site, "rollback-2", rolls_back_of(plan))
    # A worker may have been stopped so long before its claim that no claim of its time stands any more.
    quiet_from = site.scheduler.time + max(LONGEST_CLAIM, plan.longest_stall)
    until(site, lambda: site.scheduler.time > quiet_from)
    if plan.by_command:
        _finish(site, "rollback-3", rolls_back_by_command)
    _finish(site, "undo-2", undoes_references)
    if plan.purge and (plan.by_command or not site.lost):
        _finish(site, "purge", purges_by_command if plan.by_command else purges)


def _settle_forward(site: Site, life: str) -> None:
    """What operators do until nothing is left to migrate and to clean."""
    plan = site.plan
    if site.properties is not None:
        site.properties.restore_all()
    if plan.backfill or plan.gated:
        _finish(site, f"backfill-{life}", fills_back)
        until(site, lambda: _is_quiet(site))
    _finish(site, f"requeue-{life}", requeues)
    until(site, lambda: _is_quiet(site))
    _finish(site, f"rewrite-{life}", finishes_references)
    if plan.gated:
        _finish(site, f"cutover-{life}", cuts_over)
    if plan.cleanup:
        _finish(site, f"cleanup-{life}", finishes_by_command if plan.by_command else finishes_cleanup)
        until(site, lambda: _is_quiet(site))


def _employ(site: Site, name: str, body: Body) -> None:
    if not site.closing:
        employ(site, name, body)


def until(site: Site, what: Callable[[], bool]) -> None:
    """Go on until then, or until an invariant is broken."""
    site.scheduler.run(until=lambda: not site.healthy or what(), at_most=SETTLED_SECONDS)


def _finish(site: Site, name: str, body: Body) -> None:
    """Run it to its end, in as many lives as that takes."""
    ended: list[str] = []

    def whole(own: Site, process: Process) -> None:
        body(own, process)
        ended.append(name)

    employ(site, name, whole)
    until(site, lambda: bool(ended))


def _is_quiet(site: Site) -> bool:
    now = EPOCH + site.scheduler.time - MARGIN_SECONDS
    # A rollback by command keeps the migration paused: what waits in the queues then waits for ever.
    paused_for_good = site.stages.entry.stage in (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
    return (
        (paused_for_good or (site.events.is_empty and site.backfill.is_empty))
        and not site.service.under_way
        and (not site.plan.items or site.followed == len(site.application.stream))
        and site.published == len(site.manifest.changes)
        and (not site.plan.items or site.heard == len(site.bus.events))
        and not any(record.claim and record.claim.deadline > now for record in site.manifest.records.values())
    )


def _are_left(site: Site) -> bool:
    return any(record.is_unfinished for record in site.manifest.records.values())


def _what_is_left(site: Site) -> str:
    claims = [record.source.key for record in site.manifest.records.values() if record.claim]
    return f"{len(site.events.bodies)} events, {len(site.backfill.bodies)} rows, claims on {claims}"


def _check_findings(site: Site) -> None:
    """What the last verification called proven is so."""
    for finding in site.findings or ():
        if finding.verified and finding.source is not None and finding.target is not None:
            source, target = (site.store.buckets.current(one) for one in (finding.source, finding.target))
            held = site.truth.keys[finding.source].holds(target)
            is_cleaned = source is None and site.truth.keys[finding.source].emptied_by is Writer.KEYSHIFT
            if value_of(source) != held and not is_cleaned:  # a cleanup that still runs may have been later
                text = f"I3 verification calls {value_of(source)} and {held} the same"
                site.truth.broken.append((finding.source.key, text))
    if site.findings is None:
        return
    for key in site.truth.keys.values():
        record = site.manifest.records.get(key.source.record_id)
        said = {one for finding in site.findings if finding.source == key.source for one in finding.differences}
        # A record that changed between its read and the mark is told as unfinished, and of nothing else (14006106).
        if record is not None and Difference.UNFINISHED not in said:
            site.claims.check_carried(key, record, frozenset(LOSSES[one] for one in said & LOSSES.keys()))


def _check_at_rest(site: Site) -> None:
    plan, records, at_rest = site.plan, site.manifest.records, AtRest(site.truth, site.store)
    for key in site.truth.keys.values():
        at_rest.check(key, rolled_back=site.plan.rollback)
        site.claims.check_at_rest(key, records.get(key.source.record_id), rolled_back=site.plan.rollback)
    site.application.check_at_rest()
    site.manifests.check_at_rest()
    _check_findings(site)
    for before, after in site.manifest.changes:
        if after.revision != (before.revision + 1 if before is not None else 1):
            site.truth.broken.append((after.source.key, f"I4 revision {after.revision} follows {before}"))
    wanted = {audit_event(after, migration="whole").event_id for _, after in site.manifest.changes}
    missing = wanted - {event.event_id for event in site.bus.events}
    if missing:
        site.truth.broken.append(("", f"I4 {len(missing)} changes were never published: {sorted(missing)[:3]}"))
    counted = Counter(RECORDS + record.state.value for record in records.values())
    told = {name: value for name, value in site.counters.read_progress().items() if name.startswith(RECORDS) and value}
    # A batch of the stream that comes again cut elsewhere is counted again: the figures are exact only without faults.
    undisturbed = not plan.fault_rate and not site.scheduler.faults
    if told != dict(counted) and undisturbed:
        site.truth.broken.append(("", f"I3 the counters say {told}, the records are {dict(counted)}"))
    # A message that only ever waited must not die of it.
    fails = plan.garbage or plan.roles or plan.property_roles or plan.redeploys or plan.locks_later
    if undisturbed and not fails and plan.max_receives > MOST_WAITS:
        parts = ((f"part of {name} work", queue) for name, queue in site.stage_queues.items())
        for name, queue in (("live event", site.events), ("row", site.backfill), *parts):
            if queue.died:
                site.truth.broken.append(("", f"I7 a {name} died, and nothing had failed: {queue.died[0].body[:200]}"))
    # What a process begins and dies before it can name it is the sweeper's (``keyshift uploads``): no record knows it.
    if site.store.uploads and undisturbed:
        site.truth.broken.append(("", f"I7 uploads are left behind: {list(site.store.uploads)}"))
