"""Scripted faults: the next call fails, before or after its effect."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

Moment = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class _Fault:
    error: Exception
    when: Moment
    call: str | None
    skip: int = 0


class ScriptedFaults:
    """What every fake can be told."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self.calls: list[str] = []

    def fail_next(self, error: Exception, *, when: Moment = "before", call: str | None = None) -> None:
        """Let the next call (or the next one of that name) raise; ``after``: it took effect all the same."""
        self._faults.append(_Fault(error, when, call))

    def fail_nth(self, nth: int, error: Exception, *, when: Moment = "before", call: str | None = None) -> None:
        """Let the call of that name after ``nth`` more of them raise."""
        self._faults.append(_Fault(error, when, call, nth))

    def forget_faults(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()

    @contextmanager
    def _faulty(self, call: str) -> Iterator[None]:
        self.calls.append(call)
        fault = next((one for one in self._faults if one.call in (None, call)), None)
        if fault is not None:
            self._faults.remove(fault)
        if fault is not None and fault.skip:
            self._faults.append(replace(fault, skip=fault.skip - 1))
            fault = None
        if fault is not None and fault.when == "before":
            raise fault.error
        yield
        if fault is not None:
            raise fault.error


class FaultyPort(ScriptedFaults):
    """A real adapter that can be told to fail: before its request is sent, or after it took effect."""

    def __init__(self, adapter: Any) -> None:
        super().__init__()
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._adapter, name)

        def faulty(*arguments: Any, **named: Any) -> Any:
            with self._faulty(name):
                answer = call(*arguments, **named)
                return iter(list(answer)) if isinstance(answer, Iterator) else answer

        return faulty
