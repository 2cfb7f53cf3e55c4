"""Charts as inline SVG; colours are the page's, so that they follow light and dark and print."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 420, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 8, 10, 26
_STEPS = (1, 2, 2.5, 5, 10)
MOST_POINTS = 400
"""Maximum number of moments in a chart; neighbours are combined."""


def area_chart(title: str, points: Points, *, said: Callable[[float], str]) -> str:
    """A filled line; times in seconds since 1970."""
    return _chart(title, _thinned(points, last=True), said, bars=False)


def bar_chart(title: str, points: Points, *, said: Callable[[float], str]) -> str:
    """One bar for each moment."""
    return _chart(title, _thinned(points, last=False), said, bars=True)


def _chart(title: str, points: Points, said: Callable[[float], str], *, bars: bool) -> str:
    if not points:
        return f'<figure><figcaption>{escape(title)}</figcaption><p class="none">nothing counted yet</p></figure>'
    top = _round_up(max(value for _, value in points))
    first, last = points[0][0], points[-1][0]
    step = (last - first) / (len(points) - 1) if len(points) > 1 else 1.0
    across = (WIDTH - _LEFT - _RIGHT) / (last - first + (step if bars else 0) or 1.0)
    up = (HEIGHT - _TOP - _BOTTOM) / top

    def place(moment: float, value: float) -> tuple[float, float]:
        return _LEFT + (moment - first) * across, HEIGHT - _BOTTOM - value * up

    drawn = _bars(points, place, width=step * across) if bars else _area(points, place)
    most = max(value for _, value in points)
    text = f"{title}: {len(points)} points, at most {said(most)}, last {said(points[-1][1])}"
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(text)}">'
        f"{_grid(top, said)}{drawn}{_times(first, last)}</svg></figure>"
    )


def _bars(points: Points, place: Callable[[float, float], tuple[float, float]], *, width: float) -> str:
    thick = max(1.0, width * 0.85)
    return "".join(
        f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{thick:.1f}" height="{HEIGHT - _BOTTOM - y:.1f}"/>'
        for x, y in (place(*point) for point in points)
    )


def _area(points: Points, place: Callable[[float, float], tuple[float, float]]) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    floor = HEIGHT - _BOTTOM
    (left, _), (right, _) = place(*points[0]), place(*points[-1])
    return (
        f'<polygon class="area" points="{left:.1f},{floor} {line} {right:.1f},{floor}"/>'
        f'<polyline class="line" points="{line}"/>'
    )


def _grid(top: float, said: Callable[[float], str]) -> str:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(said(share * top))}</text>')
    return "".join(parts)


def _times(first: float, last: float) -> str:
    form = "%H:%M" if last - first < 24 * 3600 else "%d %b %H:%M"
    ends = [(_LEFT, "start", first), (WIDTH - _RIGHT, "end", last)]
    return "".join(
        f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}">{datetime.fromtimestamp(at, UTC).strftime(form)}</text>'
        for x, anchor, at in (ends if last > first else ends[:1])
    )


def _round_up(most: float) -> float:
    """A round number that is not smaller, so that the axis can be read."""
    if most <= 0:
        return 1.0
    scale = 1.0
    while scale * 10 <= most:
        scale *= 10
    while scale > most:
        scale /= 10
    return next(scale * step for step in _STEPS if scale * step >= most)


def _thinned(points: Points, *, last: bool) -> Points:
    """Neighbours combined: the last of them where the figure only grows, otherwise their mean."""
    group = -(-len(points) // MOST_POINTS)
    if group <= 1:
        return points
    groups = [points[start : start + group] for start in range(0, len(points), group)]
    return [(some[0][0], some[-1][1] if last else sum(value for _, value in some) / len(some)) for some in groups]
