"""What code, tests and documents cite, and what the documents hold."""

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = Path(__file__).resolve().parent
"""The tests of documents themselves, which cite what does not exist on purpose."""
_KINDS = frozenset({".py", ".md", ".yml", ".yaml", ".toml", ".json"})
_NAME = r"(?P<name>(?:\.\./)*[A-Za-z0-9_][A-Za-z0-9_./-]*\.md)\b"
_SECTIONS = r"(?P<sections>(?:(?:,|\)|and|\s)*(?:§\s?|[Ss]ections?\s)\d+(?:\.\d+)*)*)"
_CITATION = re.compile(_NAME + r"\)?(?P<anchor>#[A-Za-z0-9_-]+)?" + _SECTIONS)
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_HEADING = re.compile(r"^#{1,6}\s+(?P<text>.+?)\s*$", re.MULTILINE)
_HEADING_NUMBER = re.compile(r"\d+(?:\.\d+)*(?=\.?\s)")
_FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?\1")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_PATH = re.compile(r"`(?P<path>(?:adapters|bench|docs|domain|handlers|migrations|tests)/[\w./-]*)(?::(?P<name>\w+))?`")
_NAMED_TEST = re.compile(r"`(test_\w+)`")
_WRITTEN_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
_HANDLER = ".handler"
"""Ends the name of a Lambda function, as serverless.yml writes it."""
_WRITTEN_BY_A_COMMAND = frozenset({"build/iam.md"})


@dataclass(frozen=True, slots=True)
class Citation:
    """A document as a file names it; ``sections`` are numbers like ``2.4``, ``anchor`` is without its ``#``."""

    place: str
    name: str
    sections: tuple[str, ...] = ()
    anchor: str = ""


def cited_in(path: Path) -> Iterator[Citation]:
    """Every document that one file names, with what it names in it."""
    name = str(path.relative_to(ROOT))
    yield from citations_of(path.read_text(encoding="utf-8"), place=name)


def citations_of(text: str, *, place: str) -> Iterator[Citation]:
    """Every document that a text names; a text that is only an ending (``.md``) names none."""
    for match in _CITATION.finditer(text):
        line = text[: match.start()].count("\n") + 1
        sections = tuple(number.group() for number in _NUMBER.finditer(match["sections"]))
        yield Citation(f"{place}:{line}", match["name"], sections, (match["anchor"] or "").removeprefix("#"))


def fault_of(citation: Citation) -> str:
    """Say what does not exist, or nothing."""
    if citation.name in _WRITTEN_BY_A_COMMAND:
        return ""
    document = document_of(citation)
    if document is None:
        return f"{citation.place}: {citation.name} is not in the repository"
    held = sections_of(document.read_text(encoding="utf-8"))
    missing = [number for number in citation.sections if number not in held.numbers]
    if citation.anchor and citation.anchor not in held.anchors:
        missing.append(f"#{citation.anchor}")
    return f"{citation.place}: {citation.name} has no {', '.join(missing)}" if missing else ""


def document_of(citation: Citation) -> Path | None:
    """The document: from the root, from where it is cited, or the only one of its name."""
    place = ROOT / citation.place.rpartition(":")[0]
    for start in (ROOT, place.parent):
        if (start / citation.name).is_file():
            return (start / citation.name).resolve()
    named = [path for path in documents() if path.name == citation.name]
    return named[0] if len(named) == 1 else None


@dataclass(frozen=True, slots=True)
class Sections:
    """The numbers and the anchors (as GitHub makes them) of a document's headings."""

    numbers: frozenset[str]
    anchors: frozenset[str]


@cache
def sections_of(markdown: str) -> Sections:
    """What can be cited in a document."""
    headings = [match["text"] for match in _HEADING.finditer(_FENCE.sub("", markdown))]
    numbers = [found.group() for text in headings if (found := _HEADING_NUMBER.match(text))]
    return Sections(frozenset(numbers), frozenset(anchor_of(text) for text in headings))


def anchor_of(heading: str) -> str:
    """GitHub's anchor of a heading: lower case, no punctuation, a dash for each space."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def links_of(markdown: str) -> Iterator[str]:
    """Where a document's links lead, but for those that lead out of the repository."""
    for match in _LINK.finditer(_CODE.sub("", _FENCE.sub("", markdown))):
        if not match["target"].startswith(("http://", "https://", "mailto:")):
            yield match["target"]


def paths_of(markdown: str) -> Iterator[tuple[str, str]]:
    """The paths into the repository that a document names, each with a symbol (``file.py:name``) or an empty text."""
    for match in _PATH.finditer(_FENCE.sub("", markdown)):
        path = match["path"]
        if "NAME" in path:
            continue
        if path.endswith(_HANDLER):
            yield path.removesuffix(_HANDLER) + ".py", "handler"
        else:
            yield path, match["name"] or ""


def named_tests(markdown: str) -> list[str]:
    """The tests that a document names."""
    return _NAMED_TEST.findall(markdown)


def written_tests(module: Path) -> list[str]:
    """The tests that a module holds."""
    return _WRITTEN_TEST.findall(module.read_text(encoding="utf-8"))


@cache
def symbols_of(module: Path) -> frozenset[str]:
    """The functions, classes and constants at a module's top."""
    names: set[str] = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return frozenset(names)


@cache
def documents() -> tuple[Path, ...]:
    """Every document of the repository."""
    return tuple(path for path in files() if path.suffix == ".md")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository that can cite one, but for the tests of documents themselves."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]  # ours, and what is not added yet
    names = subprocess.run(command, capture_output=True, cwd=ROOT, check=True, text=True).stdout.splitlines()  # noqa: S603
    paths = [ROOT / name for name in names]
    return tuple(path for path in paths if _may_cite(path) and OURS not in path.parents)


def _may_cite(path: Path) -> bool:
    return path.is_file() and (path.suffix in _KINDS or path.name == "Makefile")


def table_of(markdown: str, heading: str) -> Mapping[str, str]:
    """The first two columns of the table below a heading."""
    below = markdown.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip().strip("|").split("|") for line in below.splitlines() if line.startswith("|")][2:]
    return {row[0].strip(): row[1].strip() for row in rows}


def leads_somewhere(target: str, document: Path) -> bool:
    """Whether a link of a document leads to a file, and to a heading of it if it names one."""
    name, _, anchor = target.partition("#")
    linked = (document.parent / name).resolve() if name else document
    if not linked.exists() or not anchor:
        return linked.exists()
    return anchor in sections_of(linked.read_text(encoding="utf-8")).anchors
