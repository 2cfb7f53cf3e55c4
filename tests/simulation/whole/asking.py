"""One call of one process: a request whose fate the scheduler decides."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.errors import KeyshiftError, UnavailableError
from domain.keys import Location
from domain.protocol.ports import ClaimAnswer
from tests.simulation.whole.scheduler import Killed, Process, Request

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site

ELSEWHERE = ("receive_messages", "delete_messages", "scan_records", "list_objects")
"""Calls that show that a process has done with the key it worked on."""


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
        return self._process.ask(Request(name, subject, partial(at_once, effect), send_before))

    def _ask_of(
        self, place: Location, name: str, subject: str, effect: Callable[[], Any], send_before: float | None = None
    ) -> Any:
        """A request about one key, to S3 or to the manifest."""
        return self._send_of(place, Request(name, subject, partial(at_once, effect), send_before))

    def _send_of(self, place: Location, request: Request) -> Any:
        """Note what the process can know of it, whatever becomes of it."""
        request = replace(request, object_name=place.key.rpartition("/")[2])
        truth, process = self._site.truth, self._process.name
        truth.doubts.asks(process, truth.of(place))
        try:
            answer = self._process.ask(request)
        except Killed:
            truth.doubts.died(process, request.name, place)
            truth.look_for_doubts(place)
            raise
        except UnavailableError:
            truth.doubts.unanswered(process, request.name, place)
            truth.look_for_doubts(place)
            raise
        except KeyshiftError:
            truth.doubts.refused(process, request.name)
            truth.look_for_doubts(place)
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
