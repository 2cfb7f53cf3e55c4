"""One call of one process: a request whose fate the scheduler decides."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.simulation.whole.scheduler import Process, Request

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site


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
        return self._process.ask(Request(name, subject, partial(at_once, effect), send_before))


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
