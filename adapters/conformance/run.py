"""One run over every fact, which leaves nothing behind."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from adapters.aws.clients import AwsClients
from adapters.conformance import copies, events, tables, uploads, versions, writes
from adapters.conformance.bench import Bench, Options
from adapters.conformance.trial import Trial
from domain.lifecycle.conformance import Fact, Observed


def trials_of(options: Options) -> list[Trial]:
    """Every trial, in order."""
    under_key = copies.UNDER_KEY if options.kms_key else copies.WITHOUT_KEY
    return [
        *writes.TRIALS,
        *copies.TRIALS,
        under_key,
        *uploads.TRIALS,
        *versions.TRIALS,
        *events.TRIALS,
        *tables.TRIALS,
    ]


class ConformanceRun:
    """Conformance on the servers of these clients."""

    def __init__(self, clients: AwsClients, options: Options, *, trials: Sequence[Trial] | None = None) -> None:
        self._bench = Bench(clients, options)
        self._trials = trials_of(options) if trials is None else trials

    @property
    def facts(self) -> Sequence[Fact]:
        """See the port."""
        return [one.fact for one in self._trials]

    @property
    def left(self) -> Sequence[str]:
        """See the port."""
        return self._bench.left

    def __enter__(self) -> Self:
        """See the port; a SIGTERM ends the run like Ctrl-C from now on."""
        if _is_main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything, also after an error or Ctrl-C; a second Ctrl-C waits until that is done."""
        with _uninterrupted():
            self._bench.clean_up()

    def observe(self) -> Iterator[Observed]:
        """See the port; raises UnavailableError where there is no answer at all."""
        self._bench.reach()
        for trial in self._trials:
            yield trial.observe(self._bench)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    if not _is_main_thread():
        yield
        return
    before: Any = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _is_main_thread() -> bool:
    """Only there signals can be handled."""
    return threading.current_thread() is threading.main_thread()
