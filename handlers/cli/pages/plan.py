"""The plan as one self-contained HTML file."""

from collections.abc import Sequence
from html import escape

from domain.planning.estimate import Estimate
from domain.planning.figures import PlanFigures
from domain.planning.prices import CostLine, Prices

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
table{border-collapse:collapse;width:100%;margin:1rem 0}
td,th{border-bottom:1px solid #ddd;padding:.3rem .5rem;text-align:right}
td:first-child,th:first-child{text-align:left}code{overflow-wrap:anywhere}.bad{color:#a00}
@media print{body{margin:0}}
"""


NOT_KNOWN = "not known"
_EARLIER, _MARKERS, _DELETED = "earlier versions", "delete markers", "deleted keys"


def rows_of(figures: PlanFigures) -> list[tuple[str, str, str]]:
    """The table's lines, rules first: what, objects, bytes."""
    rows = [(f"rule {name}", share) for name, share in figures.rules.items()]
    rows += [("stays where it is", figures.kept), ("unmapped", figures.unmapped), ("rejected", figures.rejected)]
    rows += [("copied in parts", figures.large), ("uploaded in parts", figures.in_parts)]
    rows += [("archived", figures.archived)]
    return [(name, f"{share.objects:,}", f"{share.size:,}") for name, share in rows] + _history_rows(figures)


OPEN_BILL = "the cost of earlier versions and delete markers is not known: the inventory lists current versions only"


def is_open(figures: PlanFigures) -> bool:
    """Whether versions are carried that the bill does not have."""
    return figures.carries_versions and figures.history is None


def _history_rows(figures: PlanFigures) -> list[tuple[str, str, str]]:
    """What is carried besides the current objects; an inventory of current versions does not tell."""
    history = figures.history
    if not figures.carries_versions:
        return []
    if history is None:
        return [(name, NOT_KNOWN, NOT_KNOWN) for name in (_EARLIER, _MARKERS, _DELETED)]
    return [
        (_EARLIER, f"{history.versions.objects:,}", f"{history.versions.size:,}"),
        (_MARKERS, f"{history.markers:,}", ""),
        (_DELETED, f"{history.deleted:,}", ""),
    ]


def bill_of(lines: Sequence[CostLine]) -> list[tuple[str, ...]]:
    """The items of a bill as rows, and their sum."""
    rows = [(line.name, f"{line.requests:,}" if line.requests else "", f"{line.dollars:,.2f}") for line in lines]
    return [*rows, ("together", "", f"{sum(line.dollars for line in lines):,.2f}")]


def plan_page(migration: str, figures: PlanFigures, cost: Estimate, prices: Prices) -> str:
    """The whole page; every key in it is escaped."""
    verdict = (
        "no two objects have the same target" if figures.is_safe else f"{figures.colliding_targets:,} targets collide, "
    )
    verdict += "" if figures.is_safe else f"{figures.rejected.objects:,} keys are impossible"
    if figures.refused:
        verdict += f", {figures.refused:,} keys are unmapped and the rules file has unmapped: fail"
    collisions = [f"{collision.target} ← {', '.join(collision.keys)}" for collision in figures.collisions]
    shapes = [f"{shape.objects:,} of the form {shape.shape} ({shape.example})" for shape in figures.shapes]
    months, billed = f"{cost.doubled_storage_per_month:,.2f}", ("item", "requests", "dollars")
    parts = (
        f"<h1>Plan of {escape(migration)}</h1>",
        f"<p{'' if figures.is_safe else ' class=bad'}>{figures.total:,} objects; {verdict}.</p>",
        _table(("what", "objects", "bytes"), list[tuple[str, ...]](rows_of(figures))),
        _list("Collisions", collisions),
        _list("Rejected", list(figures.rejected_examples)),
        _list("Unmapped, by shape", shapes),
        _list("Not preserved", list(figures.fidelity())),
        f"<h2>Cost (US dollars, prices of {escape(prices.as_of)})</h2>",
        _table(billed, bill_of(cost.lines)),
        f"<p class=bad>{escape(OPEN_BILL)}</p>" if is_open(figures) else "",
        "<h2>Afterwards: each verify, and the cleanup</h2>",
        _table(billed, bill_of(cost.afterwards)),
        f"<p>Until the cleanup, both copies are stored: {months} dollars a month more.</p>",
        f"<p>About {cost.seconds / 3600:.1f} hours; the limit is {escape(cost.bottleneck)}.</p>",
    )
    head = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    return f"{head}<title>Plan of {escape(migration)}</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _list(title: str, items: list[str]) -> str:
    if not items:
        return ""
    return f"<h2>{escape(title)}</h2><ul>{''.join(f'<li><code>{escape(item)}</code></li>' for item in items)}</ul>"
