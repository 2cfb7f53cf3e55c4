"""Every document that is cited exists, with the section that is cited."""

from pathlib import Path

import pytest

from tests.docs.citing import (
    ROOT,
    Citation,
    anchor_of,
    citations_of,
    cited_in,
    documents,
    fault_of,
    files,
    leads_somewhere,
    links_of,
    named_tests,
    written_tests,
)


def place_of(path: Path) -> str:
    """How a test is called."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", documents(), ids=place_of)
def test_the_links_of_a_document_resolve(path: Path) -> None:
    """To a file of the repository, and to a heading of it."""
    links = links_of(path.read_text(encoding="utf-8"))
    assert [target for target in links if not leads_somewhere(target, path)] == []


def test_every_cited_document_and_section_exists() -> None:
    """Code, tests, documents and configuration cite nothing that is only outside the repository."""
    cited = [citation for path in files() for citation in cited_in(path)]
    assert [fault for citation in cited if (fault := fault_of(citation))] == []
    assert {"protocol.md", "aws-facts.md"} <= {citation.name for citation in cited}


def test_every_test_that_a_document_names_is_there() -> None:
    """A row whose test is gone would promise what nothing shows."""
    written = {name for path in files() if path.suffix == ".py" for name in written_tests(path)}
    named = {(path.name, name) for path in documents() for name in named_tests(path.read_text(encoding="utf-8"))}
    assert [(document, name) for document, name in sorted(named) if name not in written] == []
    assert {"gates.md", "evidence.md", "security.md"} <= {document for document, _ in named}


def test_a_test_is_named_by_its_function() -> None:
    """Not by its file, and not within a longer word."""
    assert list(named_tests("`test_a`, `test_b.py`, test_c, `tests/test_d`: `test_e1`")) == ["test_a", "test_e1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see protocol.md §5", ("protocol.md", ("5",), "")),
        ("(protocol.md §8, §10)", ("protocol.md", ("8", "10"), "")),
        ("aws-facts.md §2.4", ("aws-facts.md", ("2.4",), "")),
        ("[aws-facts.md](aws-facts.md) §1.3", ("aws-facts.md", ("1.3",), "")),
        ("docs/runbook.md#alarm-live-lag", ("docs/runbook.md", (), "alarm-live-lag")),
        ("protocol.md section 7", ("protocol.md", ("7",), "")),
    ],
)
def test_a_citation_is_read_with_its_sections(text: str, expected: tuple[str, tuple[str, ...], str]) -> None:
    """However it is written."""
    found = list(citations_of(text, place="x"))[-1]
    assert (found.name, found.sections, found.anchor) == expected


@pytest.mark.parametrize(
    "citation",
    [
        Citation("README.md:1", "absent.md"),
        Citation("domain/a.py:1", "protocol.md", ("99",)),
        Citation("domain/a.py:1", "aws-facts.md", ("2.99",)),
        Citation("README.md:1", "docs/runbook.md", anchor="alarm-of-nothing"),
    ],
)
def test_a_citation_of_nothing_is_found(citation: Citation) -> None:
    """A document, a section or an anchor that is not there."""
    assert fault_of(citation)


def test_anchors_are_githubs() -> None:
    """Lower case, without punctuation."""
    assert anchor_of("`keyshift audit` verify, and (what) it finds") == "keyshift-audit-verify-and-what-it-finds"
