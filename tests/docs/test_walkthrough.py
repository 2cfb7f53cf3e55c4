"""Comparing a page's output with a command's: what may differ does, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.docs.walkthrough import Step, follow, is_shown, steps_of

SHOWN = """copied   65 objects, 1.8 KiB
records  1 CONFLICT, 63 COPIED
events            0          0       0
"""


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (SHOWN, SHOWN),
        (SHOWN, SHOWN.replace("65", "1,065").replace("63", "7").replace("1.8 KiB", "980 bytes")),
        ("a\n…\nd\n", "a\nb\nc\nd\n"),
        ("a\n…\n", "a\nb\nc\n"),
        ("a\n…\nb\n", "a\nb\n"),
        ("│ rule │  7 │\n└──────┴────┘\n", "│ rule    │  17 │   \n└─────────┴─────┘\n"),
        ("a\nb\n", "a\nrolling back: 33, 7/s\nrolling back: 1,233, 9/s\nb\n"),
        ("", ""),
        ("", "\n"),
        ("written 2026-11-30 04:38:18Z", "written 2027-01-02 14:38:18Z"),
        ("2026-11-30T08:42:22+00:00  4", "2027-01-02T14:38:18+00:00  7"),
        (f"ends at shardId-0a-1b/3:{'0' * 64}", f"ends at shardId-0a-1b/14:{'f' * 64}"),
    ],
)
def test_what_may_differ(shown: str, printed: str) -> None:
    """Numbers but 0, times, widths, and lines that are left out."""
    assert is_shown(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (SHOWN, SHOWN.replace("CONFLICT", "GONE")),
        (SHOWN, SHOWN.replace("0       0", "0       1")),
        (SHOWN, f"{SHOWN}and one line more\n"),
        ("a\n…\nd\n", "a\nb\nc\n"),
        ("0 findings", "2 findings"),
        ("", "said something\n"),
        ("said something\n", ""),
        ("in/line-1/a.json", "in/line-2/a.json"),
        ("digest 30f2d197a64a", "digest 30f2d197a64b"),
    ],
)
def test_what_must_not_differ(shown: str, printed: str) -> None:
    """Words, keys, digests, and a 0 that is another number."""
    assert not is_shown(shown, printed)


def test_steps_have_their_lines_and_exit_codes(tmp_path: Path) -> None:
    """Only of blocks that are meant."""
    page = tmp_path / "page.md"
    page.write_text("# T\n\n```sh\nnot this\n```\n\n```shell-session\n$ a --yes\nout\n$ b  # exit code 1\n```\n")
    assert steps_of(page) == [Step(8, "a --yes", 0, "out\n"), Step(10, "b", 1, "")]
    assert [one.acts for one in steps_of(page)] == [True, False]


def printing(*answers: tuple[int, str]) -> Callable[[str], CompletedProcess[str]]:
    """A shell that ends and prints so, one after the other."""
    left: Iterator[tuple[int, str]] = iter(answers)

    def run(command: str) -> CompletedProcess[str]:
        code, text = next(left)
        return CompletedProcess(command, code, text)

    return run


def test_a_look_is_repeated_until_it_shows_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader does; colours are not compared."""
    monkeypatch.setattr("tests.docs.walkthrough.AGAIN_SECONDS", 0.0)
    run = printing((1, "done\n"), (0, "busy\n"), (0, "\x1b[1mdone\x1b[0m\n"))
    assert follow(run, Step(1, "keyshift status", 0, "done\n")) == "\x1b[1mdone\x1b[0m\n"


def test_an_act_that_ended_well_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it printed is an error of the page."""
    monkeypatch.setattr("tests.docs.walkthrough.AGAIN_SECONDS", 0.0)
    run = printing((1, "a gate is shut\n"), (0, "2 things done\n"), (0, "done\n"))
    with pytest.raises(AssertionError, match=r"things done\n--- the page shows:\ndone"):
        follow(run, Step(1, "keyshift cutover --yes", 0, "done\n"))
