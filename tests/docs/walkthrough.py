"""A page whose commands are run in order, and whose outputs are compared with what the commands print.

Commands stand in ``shell-session`` blocks. A comment ``# exit code N`` says how one ends, otherwise 0. In an output a
line ``…`` stands for lines that were left out.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

_BLOCK = re.compile(r"^```shell-session\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")
_LEFT_OUT = "…"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE_SECONDS = 120.0
"""A reader who sees that something is not done yet looks again, until nothing has changed for as long as this."""
AGAIN_SECONDS = 1.0

DIFFERS: tuple[tuple[str, str], ...] = (
    # A command that takes some seconds says how far it is.
    (r"(?m)^[a-z][a-z ]*: [\d,]+, [\d,]+/s\n", ""),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(Z|\+00:00)", "TIME"),
    (r"[━─]+", "-"),
    (r"\b[\w.-]+@[\w.-]+\b", "WHO"),
    (r"(?m)^COLLISION at .*$", "COLLISION"),
    # A message's id, also in two lines of a cell, and its age.
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){2}-[0-9a-f]+(-[0-9a-f]{12})?\b|\b[0-9a-f]{2}-[0-9a-f]{12}\b", "ID"),
    (r"│ \d+s +│", "│ AGE │"),
    # What a worker does at that moment, and how long something took.
    (r"\d+ messages wait, \d+ are in work", "N messages wait, N are in work"),
    (r"after \d+ s\b", "after N s"),
    (r"\(3 probes, \d+ s\)", "(3 probes, N s)"),
    (r"oldest recent live event was \d+ s old", "oldest recent live event was N s old"),
    (r"(?m)^lag +.*$", "lag N"),
    (r"(?m)[\d,.]+ (bytes|KiB)(?= *$|,)", "SIZE"),
    # How many copies are young when a gate is asked; on a slow machine none is.
    (r"; [\d,]+ that changed lately were compared by this command", ""),
    # Producers write meanwhile: how many objects there are, and which one is an example.
    (r"such as table inspections inspection=inspection-\d reading: s3://\S+", "such as PLACE"),
    (r"such as s3://sensor-readings/in/line-\d/2026/11/\d\d/\d+\.json", "such as KEY"),
    (r"(?m)^(cleaned|would-go) +'s3://sensor-readings/in/[^']+'$", r"\1 KEY"),
    (r"last key: '[^']+'", "last key: KEY"),
    (r"shardId-[0-9a-f-]+/\d+:[0-9a-f]{64}", "LINK"),
    (r"(?m)(?<![\w.:/\"'=-])[1-9][\d,]*(?![\w.:/-])", "N"),
    (r"[ \t]+", " "),
    (r"(?m) +$", ""),
)
"""What may differ from run to run, and its name. A 0 is not among it: nothing lost is not something lost."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page, its exit code, and the output that the page shows."""

    line: int
    command: str
    code: int
    output: str

    @property
    def acts(self) -> bool:
        """Whether it changes something, so that a run that ended well is not repeated."""
        return "--yes" in self.command or self.command.startswith(("keyshift backfill", "keyshift init", "echo"))


def steps_of(page: Path) -> list[Step]:
    """Every command of the page, in order."""
    return list(_steps(page.read_text(encoding="utf-8")))


def _steps(text: str) -> Iterator[Step]:
    for block in _BLOCK.finditer(text):
        line = text[: block.start()].count("\n") + 2
        for piece in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            command, _, output = piece.partition("\n")
            code = _EXIT_CODE.search(command)
            yield Step(line, _EXIT_CODE.sub("", command), int(code[1]) if code else 0, output)
            line += piece.count("\n")


def normalised(text: str) -> str:
    """The text with names in the place of what may differ."""
    for pattern, name in DIFFERS:
        text = re.sub(pattern, name, text)
    return text.strip()


def is_shown(shown: str, printed: str) -> bool:
    """Whether what was printed is what a page shows, but for what may differ and what it leaves out."""
    lines = normalised(shown).splitlines()
    pattern = "".join(r"(?:.*\n)*?" if line == _LEFT_OUT else re.escape(line) + r"\n" for line in lines)
    return re.fullmatch(pattern, f"{normalised(printed)}\n" if printed.strip() else "") is not None


def follow(run: Callable[[str], CompletedProcess[str]], step: Step) -> str:
    """Run one command until it prints what the page shows; what it printed then, with its colours.

    A command that acts is not repeated once it has ended as shown. Raises AssertionError with both outputs.
    """
    seen, ends = "", 0.0
    while True:
        answer = run(step.command)
        printed, ended_so = _COLOURS.sub("", answer.stdout), answer.returncode == step.code
        if ended_so and is_shown(step.output, printed):
            return answer.stdout
        told = f"line {step.line}: {step.command}\nexit code {answer.returncode}\n{normalised(printed)}"
        if told != seen:
            seen, ends = told, time.monotonic() + PATIENCE_SECONDS
        if (step.acts and ended_so) or time.monotonic() > ends:
            raise AssertionError(f"{told}\n--- the page shows:\n{normalised(step.output)}")
        time.sleep(AGAIN_SECONDS)


def sandbox_options(page: Path) -> str:
    """The options of the page's ``keyshift sandbox``; the page has one such block."""
    (options,) = re.findall(r"^```sh\nkeyshift sandbox(.*)\n```$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return str(options)
