"""``python -m tests.docs.pictures``: draw what commands print in the tutorial, for docs/pictures.

The commands are really run, on a sandbox. A line that is longer than the picture goes on in the next one, after ``↳``.
"""

import html
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.docs.citing import ROOT
from tests.docs.walkthrough import Step, follow, sandbox_options, steps_of
from tests.worlds.sandbox import WIDTH, running_sandbox

PAGE = ROOT / "docs" / "tutorial" / "first-migration.md"
FOLDER = ROOT / "docs" / "pictures"
PICTURED: Mapping[str, str] = {
    "plan": "keyshift plan sandbox/rules.yaml --list",
    "status": "keyshift status",
    "conflicts": "keyshift conflicts list",
    "cutover": "keyshift cutover",
}
"""Each picture's command, as the page shows it; a command that the page shows twice is drawn the first time."""
_GOES_ON = "↳ "
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_PIECE = re.compile(r'<text [^>]*\bx="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')
_COLUMN, _ROW, _FIRST_ROW = 12.2, 24.4, 20.0
"""Size of a character in Rich's pictures, and where the first one stands."""


def pictured_steps() -> Mapping[str, Step]:
    """The step of the page that each picture shows."""
    steps = steps_of(PAGE)
    return {name: next(one for one in steps if one.command == command) for name, command in PICTURED.items()}


def drawn(title: str, command: str, printed: str) -> str:
    """An SVG picture of a terminal with this command and what it printed, colours included."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    for text in (f"$ {command}", *printed.splitlines()):
        for line in _cut(Text.from_ansi(text.rstrip())):
            console.print(line, no_wrap=True, crop=False, overflow="ignore")
    # Rich's picture loads its fonts from a server; a picture in a document must not.
    return _FONT_FACE.sub("", console.export_svg(title=title, unique_id=title.replace(" ", "-")))


def _cut(text: Text) -> Iterator[Text]:
    room = WIDTH - len(_GOES_ON)
    if len(text) <= WIDTH:
        yield text
        return
    first, *rest = text.divide(range(room, len(text), room))
    yield first
    for line in rest:
        yield Text(_GOES_ON, style="dim").append_text(line)


def text_of(picture: str) -> list[str]:
    """The lines of a picture, cut ones joined; the first is the command."""
    lines: dict[int, str] = {}
    for found in _PIECE.finditer(picture, picture.index('clip-path="url(#')):
        row, column = round((float(found[2]) - _FIRST_ROW) / _ROW), round(float(found[1]) / _COLUMN)
        piece = html.unescape(found[3]).replace("\xa0", " ")
        lines[row] = lines.get(row, "").ljust(column) + piece
    joined: list[str] = []
    for row in range(max(lines) + 1):
        line = lines.get(row, "").rstrip()
        if line.startswith(_GOES_ON):
            joined[-1] += line.removeprefix(_GOES_ON)
        else:
            joined.append(line)
    return joined


def main() -> None:
    """Follow the page up to the last command that is drawn, and write the pictures."""
    steps, wanted = steps_of(PAGE), pictured_steps()
    last = max(steps.index(one) for one in wanted.values())
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "reader")
        place.mkdir()
        with running_sandbox(place, sandbox_options(PAGE)) as running:
            run = partial(running.shell, coloured=True)
            printed = [follow(run, step) for step in steps[: last + 1]]
    for name, step in wanted.items():
        picture = drawn(f"keyshift {name}", step.command, printed[steps.index(step)])
        (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
