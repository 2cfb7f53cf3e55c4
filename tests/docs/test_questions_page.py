"""Each question of docs/questions.md is answered at most two links from the README."""

import re
from pathlib import Path

import pytest

from tests.docs.citing import ROOT, leads_somewhere, links_of

PAGE = ROOT / "docs" / "questions.md"
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
QUESTIONS = 24


def linked_from(path: Path) -> set[Path]:
    """The files that a document links to."""
    links = links_of(path.read_text(encoding="utf-8"))
    return {(path.parent / link.partition("#")[0]).resolve() for link in links if not link.startswith("#")}


def test_no_question_is_missing() -> None:
    """They are numbered."""
    assert [int(number) for number, _, _ in ROWS] == list(range(1, QUESTIONS + 1))


def test_the_page_is_one_link_from_the_readme_and_from_contributing() -> None:
    """So each of its links is the second."""
    assert PAGE in linked_from(ROOT / "README.md")
    assert PAGE in linked_from(ROOT / "CONTRIBUTING.md")


@pytest.mark.parametrize(("question", "answer"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_question_has_an_answer_that_is_there(question: str, answer: str) -> None:
    """Links to headings, so that the reader does not search a page."""
    links = list(links_of(answer))
    assert links, question
    assert [link for link in links if "#" not in link] == [], question
    assert [link for link in links if not leads_somewhere(link, PAGE)] == [], question
