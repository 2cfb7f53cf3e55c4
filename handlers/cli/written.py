"""Writes what a command was asked to leave in a file."""

from pathlib import Path

from domain.errors import InputError


def write_text(path: Path, text: str, *, option: str) -> None:
    """Write ``text``; raises InputError that names the file and the ``option`` that chose it."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; give another {option}") from error
