"""The recording in the documents is what a run of today shows."""

import json
import re
from pathlib import Path

from bench import recording
from tests.e2e.documents import ROOT

CAST = ROOT / "docs" / "status-watch.cast"
STORY = [
    "stage live",
    "% of 900 objects",
    "to go",
    "copied by rule",
    "PAUSED by circuit-breaker: access-denied",
    "failures by cause",
    "100%",
]

LABELS = {"migration", "copied", "rate", "lag", "limits", "lately", "records", "queue", "PAUSED", "failures"}


def told(path: Path) -> str:
    """Everything that the terminal showed, without its control sequences; a read may end within a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = json.loads(lines[0])
    assert (head["version"], head["width"], head["height"]) == (2, recording.WIDTH, recording.HEIGHT)
    moments = [json.loads(line)[0] for line in lines[1:]]
    assert moments == sorted(moments)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "".join(recording.frames(lines)))


def labels(shown: str) -> set[str]:
    """The words that begin a line."""
    return {line.split()[0] for line in shown.splitlines() if line.strip() and line[0].isalpha()}


def in_order(shown: str) -> bool:
    """Whether the story is told, one thing after the other."""
    at = 0
    for wanted in STORY:
        at = shown.find(wanted, at)
        if at < 0:
            return False
    return True


def test_the_recording_tells_its_story() -> None:
    """What the documents show says one thing after the other, with every label."""
    shown = told(CAST)
    assert in_order(shown)
    assert labels(shown) >= LABELS


def test_the_recording_tells_nothing_of_the_machine() -> None:
    """No path, no user, no host."""
    text = CAST.read_text(encoding="utf-8")
    for secret in (str(ROOT), "/tmp", "/home", "root@", "127.0.0.1"):  # noqa: S108  # looked for, not used
        assert secret not in text
