"""Rows on their way into a plan and out of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from adapters.inventory.files import LocalInventory
from adapters.inventory.rows import read_rows
from domain.errors import InputError
from domain.objects import ListedObject


@contextmanager
def saved_whole(out: Path | None) -> Iterator[Path | None]:
    """The temporary file that becomes ``out`` only when everything has succeeded."""
    if out is None:
        yield None
        return
    # Checked before the work: a device or a link to one must not become a file, and a folder cannot.
    if not out.parent.is_dir() or (out.exists() and not out.is_file()):
        raise InputError(f"{out} cannot be written: it must be a file in a folder that is there; give another --out")
    partial = out.with_name(f".{out.name}.partial")
    try:
        yield partial
        partial.replace(out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}; give another --out") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def read_one_by_one(local: LocalInventory) -> None:
    """Raise InputError naming file and row if a row is bad; DuckDB's own message names neither."""
    for path in local.paths.values():
        for _ in read_rows(path, local.inventory):
            pass


def batched(rows: Iterable[ListedObject], *, at_most: int = 50_000) -> Iterator[list[dict[str, Any]]]:
    """The rows of a listing as those of an inventory, some at a time."""
    left = iter(rows)
    while some := [_as_row(one) for one in islice(left, at_most)]:
        yield some


def _as_row(one: ListedObject) -> dict[str, Any]:
    return {
        "key": one.key,
        "size": one.size,
        "e_tag": one.etag,
        "storage_class": one.storage_class,
        "is_latest": one.is_latest,
        "is_delete_marker": one.is_marker,
    }
