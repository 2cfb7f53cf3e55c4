"""The commands that our documents show."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_BLOCK = re.compile(r"^```(?P<kind>console|sh)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shown:
    """One command of a block: ``console`` ones are run, ``output`` is what the document says that they print."""

    place: str
    kind: str
    command: str
    output: str


def shown_commands() -> list[Shown]:
    """Every command in the README and the documents."""
    return [shown for path in DOCUMENTS for shown in _commands(path)]


def _commands(path: Path) -> list[Shown]:
    text, found = path.read_text(encoding="utf-8"), []
    for block in _BLOCK.finditer(text):
        line = text[: block.start()].count("\n") + 2
        if block["kind"] == "sh":
            found += [
                Shown(f"{path.name}:{line + at}", "sh", command, "")
                for at, command in enumerate(block["text"].splitlines())
            ]
            continue
        current: list[str] = []
        pieces: list[tuple[int, str, list[str]]] = []
        for at, written in enumerate(block["text"].splitlines()):
            if written.startswith("$ "):
                current = []
                pieces.append((line + at, written[2:], current))
            else:
                current.append(written)
        found += [
            Shown(f"{path.name}:{number}", "console", command, "\n".join(output)) for number, command, output in pieces
        ]
    return found
