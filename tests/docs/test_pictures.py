"""The pictures in docs/pictures show what the tutorial's commands print today, and documents show them."""

import re

import pytest

from handlers.cli.pages.report import report_page
from tests.browser import size_of
from tests.docs.citing import ROOT, documents
from tests.docs.pictures import FOLDER, PICTURED, drawn, pictured_steps, text_of
from tests.docs.report_pictures import SIZES
from tests.docs.walkthrough import is_shown
from tests.report_sample import SHOWN_KEYS, sample_report, shown_report
from tests.worlds.sandbox import WIDTH


@pytest.mark.parametrize("name", PICTURED)
def test_a_picture_is_current(name: str) -> None:
    """Its command and output are the tutorial's, which a test runs; `python -m tests.docs.pictures` draws it again."""
    step = pictured_steps()[name]
    command, *printed = text_of((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
    assert command == f"$ {step.command}"
    assert is_shown(step.output, "\n".join(printed) + "\n"), "\n".join(printed)


@pytest.mark.parametrize("name", PICTURED)
def test_a_picture_loads_nothing_and_names_no_machine(name: str) -> None:
    """No font of a server, no path, no user."""
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert re.findall(r"(?:url\(|href=)\"?(?!#)[^)\s]+", text) == []
    for secret in (str(ROOT), "/tmp", "/home", "root@"):  # noqa: S108  # looked for, not used
        assert secret not in text


def test_there_is_no_other_picture_and_each_is_shown() -> None:
    """In a document that a reader reaches."""
    named = {f"{name}.svg" for name in PICTURED} | {f"report-{width}.png" for width in SIZES}
    assert {path.name for path in FOLDER.iterdir()} == named
    shown = {name for page in documents() for name in re.findall(r"pictures/([\w-]+\.\w+)\)", page.read_text("utf-8"))}
    assert shown == named


@pytest.mark.parametrize("width", SIZES)
def test_the_report_has_the_size_that_the_command_draws(width: int) -> None:
    """A desk's, and a phone's."""
    assert size_of(FOLDER / f"report-{width}.png") == (width, SIZES[width])


def test_the_report_that_is_drawn_has_no_hostile_text() -> None:
    """The tests' sample has; a reader of the page would take it for a fault."""
    page = report_page(shown_report())
    assert SHOWN_KEYS[0] in page
    for word in ("lunch", "script&gt;", "HYPERLINK", "very-long-segment"):
        assert word in report_page(sample_report())
        assert word not in page


def test_what_is_drawn_can_be_read_again() -> None:
    """Long lines, colours and characters with a meaning in XML; a second run draws the same."""
    long = "s3://b/<k>&" + "x" * (2 * WIDTH)
    picture = drawn("a title", "keyshift x", f"\x1b[1;31mred\x1b[0m  and  not\n\n{long}\n")
    assert text_of(picture) == ["$ keyshift x", "red  and  not", "", long]
    assert picture == drawn("a title", "keyshift x", f"\x1b[1;31mred\x1b[0m  and  not\n\n{long}\n")
