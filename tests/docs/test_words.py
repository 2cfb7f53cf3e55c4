"""Documents, help texts and code keep to the glossary; documents and help texts keep to short sentences."""

import re
from collections.abc import Iterable

import pytest

from tests.docs.citing import ROOT, table_of
from tests.docs.prose import (
    Sentence,
    sentences_of,
    sentences_of_code,
    sentences_of_documents,
    sentences_of_help,
    sentences_of_tables,
)

GLOSSARY = (ROOT / "docs" / "design" / "glossary.md").read_text(encoding="utf-8")
MOST_WORDS = 28
KEPT = ("bucket owner", "the target bucket's owner", "Dead Letter Queue", "US dollars")
"""Words of AWS that hold a word that was given up; one with a dash (dead-letter, us-east-1) is another word."""


def given_up() -> tuple[str, ...]:
    """Every word that the glossary gives up."""
    return tuple(word for cell in table_of(GLOSSARY, "Words given up") for word in re.findall(r"`([^`]+)`", cell))


def uses(sentences: Iterable[Sentence]) -> list[str]:
    """Where one of them uses a word that was given up."""
    pattern = re.compile(
        r"(?<![\w-])(?:" + "|".join(re.escape(word) for word in given_up()) + r")(?![\w-])", re.IGNORECASE
    )
    found = []
    for sentence in sentences:
        text = sentence.text
        for word in KEPT:
            text = re.sub(re.escape(word), "", text, flags=re.IGNORECASE)
        found += [f"{sentence.place}: {match.group()}: {sentence.text}" for match in pattern.finditer(text)]
    return found


def too_long(sentences: Iterable[Sentence]) -> list[str]:
    """Where one of them is longer than a sentence may be."""
    return [f"{one.place}: {one.words} words: {one.text}" for one in sentences if one.words > MOST_WORDS]


def test_no_sentence_of_a_document_is_long() -> None:
    """28 words at most, but in tables and code."""
    assert too_long(sentences_of_documents()) == []


def test_no_sentence_of_a_help_text_is_long() -> None:
    """28 words at most, in a command's help and in its options'."""
    assert too_long(sentences_of_help()) == []


def test_documents_do_not_use_the_words_given_up() -> None:
    """Tables included."""
    assert uses((*sentences_of_documents(), *sentences_of_tables())) == []


def test_help_texts_do_not_use_the_words_given_up() -> None:
    """Of commands and options."""
    assert uses(sentences_of_help()) == []


def test_code_does_not_use_the_words_given_up() -> None:
    """In docstrings, texts and comments of domain, adapters and handlers."""
    assert uses(sentences_of_code()) == []


def test_every_text_of_the_code_is_read() -> None:
    """A docstring, an f-string, a literal and a comment, each known to be there."""
    texts = {one.text for one in sentences_of_code()}
    for text in (
        "The sentence for people.",
        "another worker has it",
        "{} must be SEQUENCE:SHA256 or SHARD/SEQUENCE:SHA256, as in the log line 'audit segment'",
        "# CONFLICT: another writer decided something about the target.",
    ):
        assert any(text in one for one in texts), text


def test_the_words_given_up_are_read_from_the_glossary() -> None:
    """And each has a replacement."""
    assert {"owner", "stranger", "ledger"} <= set(given_up())
    assert all(table_of(GLOSSARY, "Words given up").values())


LONG = " ".join(["word"] * (MOST_WORDS + 1)) + "."


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        (LONG, 1),
        (f"- {LONG}\n- short", 1),
        (f"| {LONG} |\n|---|", 0),
        (f"```\n{LONG}\n```", 0),
        (f"    {LONG}", 0),
        (f"`{LONG}`", 0),
        (f"# {LONG}", 0),
        ("Two short ones. " * 20, 0),
    ],
)
def test_only_prose_is_counted(markdown: str, expected: int) -> None:
    """Tables, code and headings may be long."""
    assert len(too_long(sentences_of(markdown, place="x"))) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("The owner wrote it.", 1), ("The bucket owner account.", 0), ("Call `owner()`.", 0)]
)
def test_a_word_given_up_is_found(text: str, expected: int) -> None:
    """As a whole word, but for AWS's own words and code."""
    assert len(uses(sentences_of(text, place="x"))) == expected
