"""docs/architecture.md names what is there, and the files that an event and a row really enter."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest

from domain.lifecycle.stages import Stage, StageEntry
from domain.rules.compiled import CompiledRules
from domain.steering.breaker import BreakerPolicy
from domain.steering.learned import LEARNING
from domain.steering.places import PlaceNames
from handlers.engine.batch import handle_messages, messages_of
from handlers.engine.circuit_breaker import CircuitBreaker
from handlers.engine.dependencies import CachedControl, EngineDependencies
from handlers.engine.learned_gate import LearnedLimits
from handlers.engine.rate_gate import RateGate
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.docs.citing import ROOT, documents, paths_of, symbols_of, table_of
from tests.fakes.lifecycle import InMemoryStageBook
from tests.fakes.steering import InMemoryPulseBook, InMemoryRateLedger
from tests.worlds.handlers import BUCKET, HANDLER_RULES, Bench, bench, created_entry, direct, etag_of, sqs_event

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PATH = "The path of one live event, and of one backfill row"
TWO_BUCKETS = HANDLER_RULES.replace("target: {bucket: line-1}", "target: {bucket: line-2}")
"""In one bucket the target's key is mapped too, to find out whether it would be moved again."""
LIVE = InMemoryStageBook(StageEntry(stage=Stage.LIVE))


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
    """The product's files in the order in which they were entered, in every thread, and the keys that were mapped.

    What a fake asks of the domain is not on the path.
    """

    def __init__(self) -> None:
        self.entered: dict[str, None] = {}
        self.mapped: list[str] = []

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
        path, caller = Path(frame.f_code.co_filename), frame.f_back
        if event == "call" and path.is_relative_to(ROOT):
            name = str(path.relative_to(ROOT))
            is_fakes = caller is not None and Path(caller.f_code.co_filename).is_relative_to(ROOT / "tests" / "fakes")
            if name.startswith(("domain/", "handlers/", "adapters/")) and not is_fakes:
                self.entered[name] = None
            if frame.f_code is CompiledRules.map_key.__code__:
                self.mapped.append(frame.f_locals["key"])


def live_event(key: str) -> str:
    """One object's creation, as S3 sends it."""
    return direct(created_entry(key, b"one"))


def backfill_row(key: str) -> str:
    """The same object as an inventory's row."""
    row = BackfillRow(key=key, etag=etag_of(b"one"), size=3, storage_class="STANDARD", is_plain=True)
    (body,) = encode_backfill([row], migration="unit", bucket=BUCKET)
    return body


def engine_of(made: Bench) -> EngineDependencies:
    """The engine as ``bootstrap`` wires it, on fakes: nothing of it is left out."""
    control = CachedControl(made.panel, seconds=2.0, monotonic=made.world.clock.monotonic, stages=LIVE, rules_digest="")
    words: Any = {"current": control.current, "refresh": control.refresh, "now": made.world.clock.now}
    observer = made.dependencies.observer
    breaker = CircuitBreaker(BreakerPolicy(), panel=made.panel, pulse=InMemoryPulseBook(), observer=observer, **words)
    gate = RateGate(InMemoryRateLedger(), **words)
    learned = LearnedLimits(
        LEARNING,
        PlaceNames({}, table="manifest"),
        panel=made.panel,
        ledger=InMemoryRateLedger(),
        measured=breaker.objects_per_second,
        observer=observer,
        **words,
    )
    return replace(made.dependencies, control=control, breaker=breaker, gate=gate, learned=learned)


def traced(message_of: Callable[[str], str]) -> Trace:
    """One message in a process that has worked off another one a moment before."""
    made = bench(rules=TWO_BUCKETS)
    engine = engine_of(made)
    for key in ("old/earlier", "old/a"):
        made.world.put(key, b"one")
        event = sqs_event(message_of(key))
        messages = messages_of(event)
        with ThreadPoolExecutor(1) as pool, Trace() as trace:  # a trace sees only the threads that begin under it
            handled = handle_messages(messages, replace(engine, pool=pool), seconds_left=lambda: 300.0)
        assert [one.done for one in handled] == [True]
    assert made.world.copies == 2
    return trace


def test_the_page_lists_the_files_that_an_event_enters_in_their_order() -> None:
    """From the batch to the ports, with fakes behind them."""
    assert list(traced(live_event).entered) == [cell.strip("`") for cell in table_of(PAGE, PATH)]


def test_a_row_enters_the_same_files() -> None:
    """It has no sequencer, so its keys are looked at a little later."""
    assert set(traced(backfill_row).entered) == {cell.strip("`") for cell in table_of(PAGE, PATH)}


@pytest.mark.parametrize("message_of", [live_event, backfill_row])
def test_a_message_costs_one_mapping_of_its_key(message_of: Callable[[str], str]) -> None:
    """Every other one would be paid for each object of a bucket."""
    assert traced(message_of).mapped == ["old/a"]


def test_the_path_of_a_message_stays_short() -> None:
    """A file more is a file that everybody has to read who follows an event."""
    assert len(table_of(PAGE, PATH)) <= 20
