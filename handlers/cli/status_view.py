"""The output of ``keyshift status``: a view for a terminal of any width, one line for a log."""

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.runs.run import moment_of
from domain.runs.works import Work
from handlers.cli.control import said_limits, said_throttled
from handlers.cli.text import printable, said_bytes, said_seconds
from handlers.operations.runs_under_way import RunUnderWay
from handlers.operations.status import Status

NARROW = 60
MOST_LINES = 6


def view_of(now: Status, *, width: int, problem: str = "") -> RenderableType:
    """The whole view; ``problem`` is the reason why the figures are not current."""
    narrow = width < NARROW
    parts: list[RenderableType] = [Text(f"migration {now.migration}, stage {now.stage}", style="bold")]
    if problem:
        parts.append(Text(printable(f"no current figures: {problem}"), style="yellow"))
    if now.control.paused:
        reason = now.control.reason or "by an operator"
        words = printable(f"PAUSED by {now.control.paused_by or 'an operator'}: {reason}")
        parts.append(Text(words, style="bold red"))
        parts.append(Text("go on with: keyshift resume", style="red"))
    parts += [_bar(now, width), _figures(now), _queues(now, narrow=narrow)]
    for title, counts in (("failures by cause", now.causes), ("copied by rule", now.rules)):
        if counts:
            parts.append(_counts(title, counts))
    return Group(*parts)


def _bar(now: Status, width: int) -> RenderableType:
    room = max(10, min(40, width - 26))
    share = now.share
    if share is None:  # a message is one object at least
        known = now.done + now.waiting + now.records.get("NEW", 0)
        share = now.done / known if known else None
    full = int(room * share) if share is not None else 0
    percent = f"{int(100 * share)}%" if share is not None else "-"
    return Text(f"[{'#' * full}{'.' * (room - full)}] {percent} of {_whole(now)}")


def _whole(now: Status) -> str:
    """What the bar is a share of."""
    if now.objects_to_do is not None:
        return f"{now.objects_to_do:,} objects"
    if now.total is not None:
        return f"what is known; {now.total.objects:,} objects counted so far"
    return "what is known"


def _figures(now: Status) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, said in _lines(now):
        grid.add_row(name, Text(said))
    return grid


def _lines(now: Status) -> Iterator[tuple[str, str]]:
    yield "copied", f"{now.objects_copied:,} objects, {said_bytes(now.bytes_copied)}"
    if now.objects_per_second is not None:
        size = f", {said_bytes(now.bytes_per_second or 0)}/s"
        yield "rate", f"{now.objects_per_second:,.1f} objects/s{size}"
    if now.objects_left:
        seconds = now.seconds_left(now.objects_per_second)
        yield "to go", f"{now.objects_left:,} objects" + (f", {said_seconds(seconds)}" if seconds is not None else "")
    yield "lag", _lag(now)
    limits = said_limits(now.control)
    if limits:
        yield "limits", limits
    for place in now.throttled[:MOST_LINES]:
        yield "throttled", printable(said_throttled(place))
    if len(now.throttled) > MOST_LINES:
        yield "throttled", f"and {len(now.throttled) - MOST_LINES} more"
    recent = now.recent
    if recent is not None:
        yield "lately", f"{recent.ended:,} ended, {recent.failed:,} failed"
    for run in now.runs:
        yield "run", printable(said_run(run))
    if now.records:
        yield "records", ", ".join(f"{number:,} {state}" for state, number in now.records.items())


def said_run(run: RunUnderWay) -> str:
    """How far it is, who began it and when, and the command that resumes it where no process works on it."""
    rate = f", {run.objects_per_second:,.1f}/s" if run.objects_per_second is not None else ""
    left = f", about {said_seconds(run.seconds_left)} left" if run.seconds_left is not None and run.claimed else ""
    what = "items" if run.work == Work.REFERENCES else "objects"
    said = (
        f"{run.work}, begun {moment_of(run.begun_at)} by {run.by}: {run.slices_done:,} of {run.slices:,} slices,"
        f" {run.objects:,} {what}{rate}{left}"
    )
    if run.lost:
        said += f"; {run.lost:,} slices failed too often: keyshift {run.work} --join tries them again"
    elif not run.claimed:
        said += f"; no process works on it: keyshift {run.work} --join resumes it"
    return said


def _lag(now: Status) -> str:
    recent = now.recent
    if recent is None:
        return "nothing was handled recently" if now.waiting else "none, nothing waits"
    ages = (("live", recent.oldest_event), ("backfill", recent.oldest_row))
    said = [f"{name} {said_seconds(age)}" for name, age in ages if age]
    return ", ".join(said) or "none"


def _queues(now: Status, *, narrow: bool) -> RenderableType:
    table = Table(box=None, padding=(0, 2) if not narrow else (0, 1), pad_edge=False)
    for column, justify in (("queue", "left"), ("waiting", "right"), ("in work", "right"), ("dead", "right")):
        table.add_column(column, justify="left" if justify == "left" else "right", header_style="dim")
    for name, depth in now.queues.items():
        dead = Text(_dead(depth.dead), style="" if depth.dead == 0 else "bold red")
        table.add_row(name, f"{depth.waiting:,}", f"{depth.in_work:,}", dead)
    return table


def _dead(number: int | None) -> str:
    """A queue without a dead-letter queue loses messages, which cannot be counted."""
    return "unknown" if number is None else f"{number:,}"


def _counts(title: str, counts: Mapping[str, int]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right")
    grid.add_column(overflow="ellipsis", no_wrap=True)
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    for name, number in ranked[:MOST_LINES]:
        grid.add_row(f"{number:,}", Text(printable(name)))
    if len(ranked) > MOST_LINES:
        grid.add_row("", f"and {len(ranked) - MOST_LINES} more")
    return Group(Text(title, style="dim"), grid)


def line_of(now: Status) -> str:
    """One line for a log or a pipe."""
    queues = ", ".join(
        f"{name} {depth.waiting}+{depth.in_work} (dead {_dead(depth.dead)})" for name, depth in now.queues.items()
    )
    states = ", ".join(f"{state} {number}" for state, number in now.records.items()) or "no records yet"
    share = "" if now.share is None else f" ({int(100 * now.share)}% of {now.objects_to_do} objects done)"
    rate = "" if now.objects_per_second is None else f", {now.objects_per_second:.1f}/s"
    paused = f"; PAUSED: {now.control.reason}" if now.control.paused else ""
    causes = ", ".join(f"{cause} {number}" for cause, number in now.causes.items())
    failures = f"; failures: {causes}" if causes else ""
    throttled = "".join(f"; throttled {one.place}: {one.objects_per_second:.1f}/s" for one in now.throttled)
    runs = "".join(f"; run {run.work}: {run.slices_done} of {run.slices} slices" for run in now.runs)
    return (
        f"{now.migration}: {now.objects_copied} copied{rate}{share}; {states}; queues: {queues}; lag: {_lag(now)}"
        f"{throttled}{runs}{failures}{paused}"
    )
