"""Faults on request: what AWS does now and then and no emulator does by itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What goes wrong."""

    ERROR = "error"
    """An error answer, such as 503 SlowDown, 500 InternalError, 409 ConditionalRequestConflict or 403 AccessDenied."""
    ERROR_IN_200 = "error-in-200"
    """200 OK whose body is S3's error document."""
    EMPTY_200 = "empty-200"
    """200 OK with no body."""
    RESET = "reset"
    """The connection is reset, with no answer."""
    DELAY = "delay"
    """The answer comes, ``seconds`` late."""


class FaultMoment(StrEnum):
    """Whether the request has had its effect when it goes wrong."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault for the next ``count`` requests that match; an empty filter matches all.

    ``operation`` is AWS's name (CopyObject, UpdateItem, SendMessage, ...); ``bucket`` and ``key_prefix`` are for S3.
    """

    operation: str
    kind: FaultKind = FaultKind.ERROR
    moment: FaultMoment = FaultMoment.BEFORE
    count: int = 1
    status: int = 503
    code: str = "SlowDown"
    message: str = "Please reduce your request rate."
    seconds: float = 0.0
    bucket: str = ""
    key_prefix: str = ""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "Fault":
        """Read the admin path's JSON; unknown names raise TypeError, wrong values ValueError."""
        values = dict(document)
        values["kind"] = FaultKind(values.get("kind", FaultKind.ERROR))
        values["moment"] = FaultMoment(values.get("moment", FaultMoment.BEFORE))
        return cls(**values)

    def concerns(self, operation: str, bucket: str, key: str) -> bool:
        """Whether this request is one to spoil."""
        return self.operation in {"", operation} and self.bucket in {"", bucket} and key.startswith(self.key_prefix)


@dataclass(slots=True)
class FaultPlan:
    """The faults still to come; the first that matches is used up by one."""

    _remaining: list[tuple[Fault, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._remaining)

    def add(self, fault: Fault) -> None:
        """Plan one more."""
        if fault.count > 0:
            self._remaining.append((fault, fault.count))

    def clear(self) -> None:
        """Forget them all."""
        self._remaining.clear()

    def pending(self) -> int:
        """How many requests are still to be spoiled."""
        return sum(left for _, left in self._remaining)

    def take(self, operation: str, bucket: str, key: str) -> Fault | None:
        """The fault for this request, if there is one."""
        return self._use(lambda fault: fault.concerns(operation, bucket, key))

    def take_exactly(self, operation: str) -> Fault | None:
        """The fault for one entry of a request; a fault for every operation does not concern entries."""
        return self._use(lambda fault: fault.operation == operation)

    def _use(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        for at, (fault, left) in enumerate(self._remaining):
            if wanted(fault):
                self._remaining[at : at + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None
