"""``python -m tests.docs.pictures``: draw what commands print in the pages that are walked, for docs/pictures.

The commands are really run, on a sandbox. A line that is longer than the picture goes on in the next one, after ``↳``.
"""

import html
import re
import tempfile
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.docs.citing import ROOT
from tests.docs.walked_pages import PAGES, PLAN, RUNBOOK, TUTORIAL, WalkedPage, steps_up_to
from tests.docs.walkthrough import Step, steps_of
from tests.worlds.sandbox import WIDTH, running_sandbox

FOLDER = ROOT / "docs" / "pictures"
PICTURED: Mapping[str, tuple[WalkedPage, str]] = {
    "plan": (TUTORIAL, "keyshift plan sandbox/rules.yaml --list"),
    "doctor": (TUTORIAL, "keyshift doctor"),
    "status": (TUTORIAL, "keyshift status"),
    "conflicts": (TUTORIAL, "keyshift conflicts list"),
    "cutover": (TUTORIAL, "keyshift cutover"),
    "dlq": (RUNBOOK, "keyshift dlq list"),
    "collision": (PLAN, "keyshift plan collide.yaml --list | head -n 14"),
}
"""Each picture's page and command; a command that a page shows twice is drawn the first time."""
_GOES_ON = "↳ "
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_PIECE = re.compile(r'<text [^>]*\bx="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')
_COLUMN, _ROW, _FIRST_ROW = 12.2, 24.4, 20.0
"""Size of a character in Rich's pictures, and where the first one stands."""


def pictured_steps() -> Mapping[str, Step]:
    """The step that each picture shows."""
    return {
        name: next(one for one in steps_of(page.path) if one.command == command)
        for name, (page, command) in PICTURED.items()
    }


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
    """Follow each page up to its last command that is drawn, and write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for page in PAGES:
        wanted = {name: command for name, (one, command) in PICTURED.items() if one is page}
        steps = steps_up_to(page, set(wanted.values()))
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "reader")
            place.mkdir()
            with running_sandbox(place, page.options) as running:
                printed = list(page.walk(running, steps, coloured=True))
        for name, command in wanted.items():
            at = next(number for number, step in enumerate(steps) if step.command == command)
            picture = drawn(f"keyshift {name}", command, printed[at])
            (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
