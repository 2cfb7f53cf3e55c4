"""One call of one process: a request whose fate the scheduler decides."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.errors import KeyshiftError, ThrottledAt, ThrottledError, UnavailableError
from domain.keys import Location
from domain.protocol.ports import ClaimAnswer
from tests.simulation.whole.scheduler import Killed, Process, Request

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site

TOGETHER = ("claim_new_records", "write_records")
ELSEWHERE = ("receive_messages", "delete_messages", "scan_records", "read_page", "read_record", "list_objects")
"""Calls that show that a process has done with the key it worked on; a record is read to begin with its key."""


def at_once(effect: Callable[[], Any]) -> Any:
    """A request that the server does in one step."""
    return effect()
    yield


class Asking:
    """What asks on behalf of one process."""

    def __init__(self, process: Process, site: "Site") -> None:
        self._process = process
        self._site = site

    def _ask(self, name: str, subject: str, effect: Callable[[], Any], send_before: float | None = None) -> Any:
        if name in ELSEWHERE:
            self._site.truth.doubts.asks(self._process.name, None)
            self._end_all()
        try:
            return self._process.ask(Request(name, subject, partial(at_once, effect), send_before))
        except Killed:
            self._died_over_all(name)
            raise

    def name_for(self, place: Location) -> str:
        """As whom the process works on the key: many keys that it claimed together are works of their own."""
        key, name = self._site.truth.of(place), self._process.name
        return f"{name} {key.source.key}" if key is not None and key.source in self._site.together[name] else name

    def work_together(self, sources: Iterable[Location]) -> None:
        """The process begins to work on all of these."""
        self._site.truth.doubts.asks(self._process.name, None)
        for source in sources:
            self._site.together[self._process.name].add(source)
            self._site.truth.doubts.asks(self.name_for(source), self._site.truth.of(source))

    def end_work(self, source: Location) -> None:
        """It has done with this one of them."""
        if source in self._site.together[self._process.name]:
            self._site.truth.doubts.asks(self.name_for(source), None)
            self._site.together[self._process.name].discard(source)

    def _end_all(self) -> None:
        for source in sorted(self._site.together[self._process.name], key=str):
            self.end_work(source)

    def _died_over_all(self, call: str, place: Location | None = None) -> None:
        truth, process = self._site.truth, self._process.name
        for source in sorted(self._site.together.pop(process, ()), key=str):
            name, key = f"{process} {source.key}", truth.of(source)
            if place is None or truth.of(place) is not key:
                truth.doubts.died(name, call if call in TOGETHER else "", source)
                truth.look_for_doubts(source)

    def _ask_of(  # noqa: PLR0917  # a request with all that it is made of
        self,
        place: Location,
        name: str,
        subject: str,
        effect: Callable[[], Any],
        send_before: float | None = None,
        needs: frozenset[str] = frozenset(),
    ) -> Any:
        """A request about one key, to S3 or to the manifest."""
        return self._send_of(place, Request(name, subject, partial(at_once, effect), send_before, needs=needs))

    def _send_of(self, place: Location, request: Request) -> Any:
        """Note what the process can know of it, whatever becomes of it."""
        request = replace(request, object_name=place.key.rpartition("/")[2])
        truth, process = self._site.truth, self.name_for(place)
        truth.doubts.asks(process, truth.of(place))
        try:
            answer = self._process.ask(request)
        except Killed:
            truth.doubts.died(process, request.name, place)
            truth.look_for_doubts(place)
            self._died_over_all(request.name, place)
            raise
        except UnavailableError:
            truth.doubts.unanswered(process, request.name, place)
            truth.look_for_doubts(place)
            raise
        except KeyshiftError as error:
            truth.doubts.refused(process, request.name)
            truth.look_for_doubts(place)
            if isinstance(error, ThrottledError):
                error.at = ThrottledAt("SlowDown", bucket=place.bucket, key=place.key)
            raise
        if isinstance(answer, ClaimAnswer) and answer.granted:
            truth.doubts.claimed(process, truth.of(place))
            truth.look_for_doubts(place)
        if answer is False:  # of a write to the manifest: another process has the record, so nothing was written down
            truth.doubts.refused(process, request.name)
            truth.look_for_doubts(place)
        else:
            truth.doubts.answered(process, request.name)
        return answer


class Asked(Asking):
    """A port of which every call is one request that the server does in one step; what iterates comes whole."""

    def __init__(self, process: Process, site: "Site", port: Any, name: str = "") -> None:
        super().__init__(process, site)
        self._port = port
        self._name = name

    def __getattr__(self, call: str) -> Callable[..., Any]:
        method = getattr(self._port, call)

        def asked(*arguments: Any, **named: Any) -> Any:
            def effect() -> Any:
                answer = method(*arguments, **named)
                return list(answer) if isinstance(answer, Iterator) else answer

            return self._ask(call, self._name, effect)

        return asked
