"""The report as one self-contained HTML file without scripts, fonts or pictures from elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import accumulate

from domain.planning.prices import CostLine
from domain.reporting.costs import NOT_COUNTED, Planned
from domain.reporting.progress import BYTES_COPIED, COPY_MILLISECONDS, FAILED, OBJECTS_COPIED, RULE_BYTES, Span
from domain.reporting.report import series
from domain.reporting.tallied import Tallied
from handlers.cli.control import said_throttled
from handlers.cli.pages.charts import Points, area_chart, bar_chart
from handlers.cli.pages.style import STYLE
from handlers.cli.text import printable, said_bytes, said_seconds
from handlers.operations.status import Status

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TEXTS = frozenset({"", "what", "cause", "state", "outcome"})
_MOST_NARROW = 3
"""Number of columns that fit on a phone."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report shows; ``tallied`` is ``None`` when the records were not read."""

    made_at: float
    status: Status
    counters: Mapping[str, int]
    history: Mapping[Span, Mapping[str, int]]
    tallied: Tallied | None
    bill: Sequence[CostLine]
    prices_as_of: str
    planned: Planned | None
    audit: str
    audit_is_good: bool | None
    audit_findings: Sequence[str] = ()


def report_page(report: Report) -> str:
    """The whole page; every text in it is escaped, unprintable characters too."""
    name = shown(report.status.migration)
    parts = [_head(report), _verdicts(report), _charts(report), _rules(report), _failures(report)]
    parts += [_fidelity(report), _troubled(report), _cost(report), _queues(report), _audit(report)]
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        '<meta name=color-scheme content="light dark">'
        f"<title>{name}: migration report</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def shown(text: str) -> str:
    """A text of unknown origin, safe in HTML, without invisible or reversing characters."""
    visible = printable(text)
    return escape(visible)


def said_number(number: float) -> str:
    """A count, short enough for an axis."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):,.4g}{unit}"
    return f"{number:,.4g}"


def _head(report: Report) -> str:
    made = datetime.fromtimestamp(report.made_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    status = report.status
    paused = f'<p class="bad">Paused by {shown(status.control.by or "an operator")}: {shown(status.control.reason)}</p>'
    return (
        f"<h1>{shown(status.migration)}</h1><p>Migration report of {made}. Stage: <b>{shown(status.stage)}</b>.</p>"
        + (paused if status.control.paused else "")
        + "".join(f'<p class="bad">Throttled: {shown(said_throttled(place))}</p>' for place in status.throttled)
    )


def _verdicts(report: Report) -> str:
    status, planned = report.status, report.planned
    copied = f"{status.objects_copied:,}" + (f" of {planned.objects:,} planned" if planned else "")
    size = said_bytes(status.bytes_copied) + (f" of {said_bytes(planned.size)}" if planned else "")
    failed = sum(status.causes.values())
    audit = {True: "whole", False: "BROKEN", None: "not checked"}[report.audit_is_good]
    cards = [("objects copied", copied, ""), ("bytes copied", size, "")]
    cards += _left(report)
    cards += [("need a person", f"{failed:,}", "bad" if failed else "good")]
    cards += [("audit chain", audit, {True: "good", False: "bad", None: ""}[report.audit_is_good])]
    cards += [("live lag", _age(status.recent.oldest_event if status.recent else None), "")]
    cards += [("cost so far", f"${sum(line.dollars for line in report.bill):,.2f}", "")]
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card {kind}"><span>{name}</span><b>{escape(value)}</b></div>' for name, value, kind in cards
        )
        + "</div>"
    )


def _left(report: Report) -> list[tuple[str, str, str]]:
    """Cards of what is done of everything, and of the time left at the rate of the newest span that has ended."""
    status, copied = report.status, series(report.history, OBJECTS_COPIED)
    if status.share is None:
        return []
    done = ("done", f"{int(100 * status.share)}% of {status.objects_to_do:,} objects", "")
    rate = copied[-2][1] / next(iter(report.history)).seconds if len(copied) > 1 else None
    seconds = status.seconds_left(rate)
    return [done, ("time left", said_seconds(seconds), "")] if seconds is not None else [done]


def _charts(report: Report) -> str:
    copied, size = series(report.history, OBJECTS_COPIED), series(report.history, BYTES_COPIED)
    seconds = next(iter(report.history)).seconds if report.history else 1
    busy = dict(series(report.history, COPY_MILLISECONDS))
    takes: Points = [(at, busy.get(at, 0) / 1_000 / number) for at, number in copied if number]
    every = {60: "each minute", 3_600: "each hour"}.get(seconds, "")
    return (
        f"<h2>Progress over time</h2><p>Copies {every}; times are UTC.</p>"
        '<div class="charts">'
        + "".join(
            [
                area_chart("objects copied", _sums(copied), said=said_number),
                area_chart("bytes copied", _sums(size), said=said_bytes),
                bar_chart("objects a second", [(at, number / seconds) for at, number in copied], said=said_number),
                bar_chart("failures", series(report.history, FAILED), said=said_number),
                bar_chart("seconds from claim to commit, mean", takes, said=said_number),
            ]
        )
        + "</div>"
    )


def _sums(points: Sequence[tuple[int, int]]) -> Points:
    totals = accumulate(value for _, value in points)
    return [(at, total) for (at, _), total in zip(points, totals, strict=True)]


def _rules(report: Report) -> str:
    planned = report.planned.rules if report.planned else {}
    names = sorted({*report.status.rules, *planned})
    rows = []
    for name in names:
        number, size = report.status.rules.get(name, 0), report.counters.get(RULE_BYTES + name, 0)
        row = [shown(name), f"{number:,}", said_bytes(size)]
        if report.planned:
            share = planned.get(name)
            row += [f"{share.objects:,}" if share else "-", said_bytes(share.size) if share else "-"]
        rows.append(row)
    heads = ["rule", "copies", "bytes", *(["objects planned", "bytes planned"] if report.planned else [])]
    note = "<p>An object that its producer overwrote counts again with each copy.</p>"
    return "<h2>Rules</h2>" + (_table(heads, rows) + note if rows else '<p class="none">nothing copied yet</p>')


def _failures(report: Report) -> str:
    causes = report.tallied.causes if report.tallied is not None else report.status.causes
    rows = [[shown(cause), f"{number:,}"] for cause, number in _by_number(causes)]
    return "<h2>Failures by cause</h2>" + (_table(["cause", "objects"], rows) if rows else "<p>None.</p>")


def _by_number(counts: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    """The largest first."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _fidelity(report: Report) -> str:
    tallied = report.tallied
    if tallied is None:
        return "<h2>Kept, changed, lost</h2><p>The records were not read (--quick).</p>"
    outcomes = [[shown(name), f"{number:,}"] for name, number in _by_number(tallied.outcomes)]
    notes = [
        [kind, shown(what), f"{number:,}"]
        for kind, counted in (
            ("kept", tallied.kept),
            ("changed", tallied.changed),
            ("lost", tallied.lost),
            ("not looked at", tallied.unseen),
        )
        for what, number in _by_number(counted)
    ]
    about = f"<p>{tallied.records:,} objects, {tallied.verified:,} of them verified; each one is a line of --csv.</p>"
    moved = _table(["", "what", "objects"], notes) if notes else ""
    return f"<h2>Kept, changed, lost</h2>{about}{_table(['outcome', 'objects'], outcomes)}{moved}"


def _troubled(report: Report) -> str:
    if report.tallied is None or not report.tallied.troubled:
        return ""
    rows = [
        [f"<code>{shown(one.key)}</code>", one.state.value, shown(one.why or "unknown")]
        for one in report.tallied.troubled
    ]
    more = sum(report.tallied.causes.values()) - len(rows)
    note = f"<p>and {more:,} more; --csv lists all of them.</p>" if more > 0 else ""
    return f"<h2>Objects that need a person</h2>{_table(['source key', 'state', 'cause'], rows)}{note}"


def _cost(report: Report) -> str:
    rows = [
        [escape(line.name), f"{line.requests:,}" if line.requests else "", f"{line.dollars:,.4f}"]
        for line in report.bill
    ]
    total = sum(line.dollars for line in report.bill)
    rows.append(["<b>together</b>", "", f"<b>{total:,.4f}</b>"])
    plan = "<p>Give --plan to compare it with the plan.</p>"
    if report.planned is not None:
        share = f" ({total / report.planned.dollars:.0%} of it)" if report.planned.dollars else ""
        hours = report.planned.seconds / 3_600
        said = f"{report.planned.dollars:,.4f} dollars{share} and about {hours:,.1f} hours"
        plan = f"<p>The plan said {said}{_earlier(report.planned)}.</p>"
    about = f"<p>US dollars at prices of {escape(report.prices_as_of)}. Not counted: {NOT_COUNTED}.</p>"
    return f"<h2>Cost so far</h2>{_table(['item', 'requests', 'dollars'], rows)}{plan}{about}"


def _queues(report: Report) -> str:
    rows = [
        [
            shown(name),
            f"{depth.waiting:,}",
            f"{depth.in_work:,}",
            "unknown" if depth.dead is None else f"{depth.dead:,}",
        ]
        for name, depth in report.status.queues.items()
    ]
    recent = report.status.recent
    lag = "<p>Nothing ended in the last half minute, so no lag is known.</p>"
    if recent is not None:
        lag = (
            f"<p>Live events were at most {_age(recent.oldest_event)} old, backfill rows {_age(recent.oldest_row)}.</p>"
        )
    return f"<h2>Queues and lag</h2>{_table(['queue', 'waiting', 'in work', 'dead-letter messages'], rows)}{lag}"


def _audit(report: Report) -> str:
    kind = {True: "good", False: "bad", None: ""}[report.audit_is_good]
    findings = "".join(f"<li>{shown(text)}</li>" for text in report.audit_findings)
    return f'<h2>Audit chain</h2><p class="{kind}">{shown(report.audit)}</p>' + (
        f"<ul>{findings}</ul>" if findings else ""
    )


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """The cells are HTML; on a phone the heads name each cell."""
    names = list(heads)
    kinds = ['class="t" ' if name in _TEXTS else "" for name in names]
    head = "".join(f"<th {kind}>{escape(name)}</th>" for name, kind in zip(names, kinds, strict=True))
    lines = [
        "".join(
            f'<td {kind}data-name="{escape(name)}">{cell}</td>'
            for name, kind, cell in zip(names, kinds, row, strict=True)
        )
        for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    wide = ' class="wide"' if len(names) > _MOST_NARROW else ""
    return f"<table{wide}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _earlier(planned: Planned) -> str:
    """What the plan knows besides the current objects."""
    if planned.history is None:
        return ""
    versions = planned.history.versions
    return f", with {versions.objects:,} earlier versions ({said_bytes(versions.size)})"
