"""The sentences of documents, of the command line's help and of the code, without what is code or a table."""

import ast
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from handlers.cli.app import keyshift

ROOT = Path(__file__).resolve().parents[2]
AT_ROOT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
DOCUMENTS = tuple(path for path in (*(ROOT / name for name in AT_ROOT), *sorted((ROOT / "docs").rglob("*.md"))))
PACKAGES = ("domain", "adapters", "handlers")
GENERATED = (ROOT / "docs/cli.md", ROOT / "docs" / "iam.md")
"""Made of the command line's help, which is read at its place, and of tables."""

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+).*?^ *(?P=fence)[`~]* *$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_IMAGE_OR_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_CODE = re.compile(r"(`+)(?!`).+?\1", re.DOTALL)
_NEW_BLOCK = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+")
_END = re.compile(r"(?<=[.!?])[)\"'*_]*(?:\s+|$)")
_ABBREVIATIONS = ("e.g.", "i.e.", "etc.", "vs.")
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, where its block begins (``README.md:3``, ``keyshift plan --help``), and its words."""

    place: str
    text: str

    @property
    def words(self) -> int:
        """How many words it has; a piece of code, a URL or a link's text counts by its spaces, code as one."""
        return sum(1 for word in self.text.split() if _WORD.search(word))


def sentences_of_documents() -> Iterator[Sentence]:
    """Every sentence of every document that a person wrote."""
    for path in DOCUMENTS:
        if path not in GENERATED:
            yield from sentences_of(path.read_text(encoding="utf-8"), place=str(path.relative_to(ROOT)))


def sentences_of_tables() -> Iterator[Sentence]:
    """Every row of the tables, and every heading, of those documents."""
    for path in DOCUMENTS:
        if path not in GENERATED:
            text = _COMMENT.sub(_blank, _FENCE.sub(_blank, path.read_text(encoding="utf-8")))
            for number, line in enumerate(text.splitlines(), start=1):
                if line.lstrip().startswith(("|", "#")):
                    yield Sentence(f"{path.relative_to(ROOT)}:{number}", plain(line))


def sentences_of(markdown: str, *, place: str) -> Iterator[Sentence]:
    """The sentences of a Markdown text; tables, headings, comments and code are left out."""
    for line, block in blocks_of(markdown):
        for text in _split(block):
            yield Sentence(f"{place}:{line}", text)


def blocks_of(markdown: str) -> Iterator[tuple[int, str]]:
    """Each paragraph or list item as one line, with the number of the line where it begins."""
    text = _COMMENT.sub(_blank, _FENCE.sub(_blank, markdown))
    block: list[str] = []
    began, after_blank, in_list = 1, True, False
    for number, line in enumerate(text.splitlines(), start=1):
        is_item = _NEW_BLOCK.match(line) is not None
        is_code = line.startswith("    ") and after_blank and not in_list and not is_item
        is_prose = line.strip() and not is_code and not line.lstrip().startswith(("|", "#"))
        if block and (is_item or not is_prose):
            yield began, " ".join(block)
            block = []
        if is_prose:
            if not block:
                began = number
            block.append(_NEW_BLOCK.sub("", line).strip().lstrip("> "))
        in_list = is_item or (in_list and (not line.strip() or line.startswith(" ")))
        after_blank = not line.strip() or (after_blank and bool(is_code))
    if block:
        yield began, " ".join(block)


def sentences_of_help() -> Iterator[Sentence]:
    """Every sentence of every command's help, and of its options'."""
    yield from _of_command(keyshift, "keyshift")


def _of_command(command: click.Command, name: str) -> Iterator[Sentence]:
    paragraphs = [part for part in re.split(r"\n\s*\n", command.help or "") if not part.lstrip().startswith("\b")]
    paragraphs += [text for one in command.params if (text := getattr(one, "help", None)) is not None]
    for paragraph in paragraphs:
        for text in _split(" ".join(paragraph.split())):
            yield Sentence(f"{name} --help", text)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _of_command(found, f"{name} {child}")


@cache
def sentences_of_code() -> tuple[Sentence, ...]:
    """Every docstring, every text with a space in it and every comment of the product."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            for line, text in (*_texts_of(path.read_text(encoding="utf-8")), *_comments_of(path)):
                found.append(Sentence(f"{name}:{line}", plain(" ".join(text.split()))))
    return tuple(found)


def _texts_of(source: str) -> Iterator[tuple[int, str]]:
    """The texts with the lines where they begin; an f-string is one text, with ``{}`` for each value."""
    nodes = list(ast.walk(ast.parse(source)))
    joined = [one for one in nodes if isinstance(one, ast.JoinedStr)]
    parts = {id(part) for one in joined for part in one.values}
    for one in joined:
        yield one.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in one.values)
    for node in nodes:
        if isinstance(node, ast.Constant) and id(node) not in parts and " " in str(node.value).strip():
            yield node.lineno, str(node.value)


def _comments_of(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def plain(block: str) -> str:
    """The text without Markdown's marks; each piece of code is one word."""
    return _IMAGE_OR_LINK.sub(r"\1", _CODE.sub("code", block)).replace("**", "")


def _split(block: str) -> Iterator[str]:
    pieces: list[str] = []
    for piece in _END.split(plain(block)):
        pieces.append(piece)
        if not piece.endswith(_ABBREVIATIONS):
            whole = " ".join(pieces).strip()
            pieces = []
            if whole:
                yield whole
    if pieces:
        yield " ".join(pieces)


def _blank(match: re.Match[str]) -> str:
    return "\n" * match.group().count("\n")
