"""An engine that nothing holds back: no rate, no circuit breaker, nothing audited beside the records."""

from collections.abc import Callable

from domain.errors import KeyshiftError, ThrottledError
from domain.keys import Location
from domain.steering.learned import LearnedLimit
from handlers.engine.rate_gate import HeldBack


class NoBreaker:
    """Breaker that counts nothing and never trips."""

    def note_success(self, record_id: str) -> None:
        """See the protocol."""

    def note_failure(self, record_id: str, *, cause: str, said: str) -> None:
        """See the protocol."""

    def note_age(self, seconds: float, *, is_event: bool) -> None:
        """See the protocol."""

    def note_fatal(self, error: KeyshiftError) -> None:
        """See the protocol."""

    def share(self, *, at_once: bool = False) -> None:
        """See the protocol."""

    def objects_per_second(self) -> float | None:
        """See the protocol."""
        return None


class OpenGate:
    """Gate that is never closed."""

    def admit(
        self, *, objects: int, size: int, seconds_left: Callable[[], float], stopping: Callable[[], bool]
    ) -> HeldBack | None:
        """See the protocol."""
        return None


class NothingLearned:
    """Gate of learned limits that learns nothing."""

    unshared: tuple[LearnedLimit, ...] = ()

    def admit(self, source: Location, target: Location) -> HeldBack | None:
        """See the protocol."""
        return None

    def wait_turn(self, source: Location, target: Location, *, sleep: Callable[[float], object]) -> None:
        """See the protocol."""

    def note_throttled(self, error: ThrottledError) -> bool:
        """See the protocol."""
        return False

    def share(self) -> None:
        """See the protocol."""


def no_item_event(*_change: object) -> None:
    """Nothing beside the records is audited."""
