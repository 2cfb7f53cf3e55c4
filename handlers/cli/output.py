"""Output to the terminal: texts by producers and other operators must not control it.

A key may contain characters that clear a screen, reverse a line or begin another one. Every text that a command writes
goes through ``PrintableStream``, and every table through ``console``. ``say`` also prints exactly one line.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from domain.errors import InputError
from handlers.cli.text import printable

if TYPE_CHECKING:
    from rich.console import Console


MOST_SHOWN = 50
"""Rows on a terminal; --json shows all."""


class PrintableStream:
    """A text stream that writes every character that is not printable as its escape; lines and tabs stay."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream
        """The stream that rich writes to: it makes its own sequences, and ``console`` has escaped its texts."""

    def write(self, text: str) -> int:
        """Write it; bytes are refused, as by any text stream."""
        if not isinstance(text, str):
            raise TypeError(f"a text stream takes str, not {type(text).__name__}")
        self.rich_proxied_file.write(_lines_kept(text))
        return len(text)

    @property
    def buffer(self) -> Any:
        """Not available, so that bytes are escaped too."""
        raise AttributeError("buffer")

    def __getattr__(self, name: str) -> Any:
        """Everything else is the inner stream's."""
        return getattr(self.rich_proxied_file, name)


def _lines_kept(text: str) -> str:
    if text.rstrip("\n").isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else printable(one) for one in text)


@contextmanager
def printable_streams() -> Iterator[None]:
    """Both standard streams escape texts inside the block; a closed one stays closed."""
    given = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_guarded(one) for one in given)
    try:
        yield
    finally:
        sys.stdout = given[0] if sys.stdout is not None else sys.stdout
        sys.stderr = given[1] if sys.stderr is not None else sys.stderr


def _guarded(stream: TextIO) -> TextIO:
    guarded: Any = PrintableStream(stream) if stream is not None else None
    return guarded  # type: ignore[no-any-return]


def say(text: str, *, err: bool = False) -> None:
    """Print one line, also where the text contains line feeds."""
    click.echo(printable(text), err=err)


def refuse(context: click.Context, why: str, *, as_json: bool) -> NoReturn:
    """Print why nothing is done, and end the command with exit code 1."""
    say(json.dumps({"refused": why}) if as_json else f"no: {why}", err=not as_json)
    context.exit(1)


def say_dry_run(done: str, *, give: str = "--yes") -> None:
    """Print that nothing was ``done`` (changed, deleted), and which options do it."""
    click.echo(f"dry run: nothing was {done}, give {give} to do it", err=True)


def machine_output() -> TextIO:
    """Where CSV for another program goes: as it is into a pipe or a file, printable on a terminal."""
    return sys.stdout if sys.stdout.isatty() else _innermost(sys.stdout)


def console(*, stderr: bool = False, width: int | None = None) -> "Console":
    """A console of rich on a standard stream that writes only printable texts."""
    from handlers.cli.printable_console import PrintableConsole

    return PrintableConsole(file=_innermost(sys.stderr if stderr else sys.stdout), width=width)


def print_figures(title: str, rows: Iterable[Sequence[str]], *, head: Sequence[str] = ()) -> None:
    """Print a table of names with figures; without a ``head`` each row has one figure."""
    from rich.table import Table

    table = Table(title=title, show_header=bool(head), title_justify="left")
    for number, name in enumerate(head or ("", "")):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def _innermost(stream: TextIO) -> TextIO:
    while (inner := getattr(stream, "rich_proxied_file", None)) is not None:
        stream = inner
    return stream


def write_text(path: Path, text: str, *, option: str) -> None:
    """Write ``text``; raises InputError that names the file and the ``option`` that chose it."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; give another {option}") from error
