"""docs/architecture.md names what is there, and the files that an event and a row really enter."""

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest

from handlers.engine.batch import respond_to_batch
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.docs.citing import ROOT, documents, paths_of, symbols_of, table_of
from tests.unit.handler_world import BUCKET, Bench, bench, created, direct, etag_of, sqs_event

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PATH = "The path of one live event, and of one backfill row"


def place_of(path: Path) -> str:
    """How a test is called."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", documents(), ids=place_of)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    """And every symbol of it (``file.py:name``)."""
    named = list(paths_of(document.read_text(encoding="utf-8")))
    assert [path for path, _ in named if not (ROOT / path).exists()] == []
    held = [(path, symbol) for path, symbol in named if symbol]
    assert [f"{path}:{symbol}" for path, symbol in held if symbol not in symbols_of(ROOT / path)] == []


def test_a_path_or_symbol_that_is_not_there_is_found() -> None:
    """Whatever a move leaves behind."""
    assert list(paths_of("`handlers/absent.py` and `domain/keys.py:absent`")) == [
        ("handlers/absent.py", ""),
        ("domain/keys.py", "absent"),
    ]
    assert "absent" not in symbols_of(ROOT / "domain" / "keys.py")
    assert {"Location", "MAX_KEY_BYTES", "key_fault"} <= symbols_of(ROOT / "domain" / "keys.py")


class Trace:
    """The product's files that were entered, in every thread."""

    def __init__(self) -> None:
        self.entered: set[str] = set()

    def __enter__(self) -> Self:
        """Begin."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *raised: object) -> None:
        """End."""
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            name = str(path.relative_to(ROOT))
            if name.startswith(("domain/", "handlers/", "adapters/")):
                self.entered.add(name)


def live_event() -> str:
    """One object's creation, as S3 sends it."""
    return direct(created("old/a", b"one"))


def backfill_row() -> str:
    """The same object as an inventory's row."""
    row = BackfillRow(key="old/a", etag=etag_of(b"one"), size=3, storage_class="STANDARD", is_plain=True)
    (body,) = encode_backfill([row], migration="unit", bucket=BUCKET)
    return body


def world() -> Bench:
    """A bucket with one object that the rules move."""
    made = bench()
    made.world.put("old/a", b"one")
    return made


@pytest.mark.parametrize("body", [live_event, backfill_row])
def test_the_page_lists_the_files_that_a_message_enters(body: Any) -> None:
    """From the batch to the ports, with fakes behind them."""
    made, message = world(), body()
    with Trace() as trace:
        answer = respond_to_batch(sqs_event(message), made.dependencies, queue=made.live, seconds_left=lambda: 300.0)
    assert answer == {"batchItemFailures": []}
    assert trace.entered == {cell.strip("`") for cell in table_of(PAGE, PATH)}
