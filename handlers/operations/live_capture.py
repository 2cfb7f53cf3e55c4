"""Whether live capture is on at this moment: what the bucket's configuration says, and what a probe shows."""

from domain.errors import KeyshiftError
from handlers.operations.operator import Operation
from handlers.operations.start import LOOK_SECONDS, PROBE_SECONDS, probe_arrives, read_capture


def capture_fault(operation: Operation) -> str | None:
    """Say what the bucket's configuration lacks of live capture, or ``None``; it proves nothing about the way behind.

    What cannot be read is a fault: a gate that cannot know is shut.
    """
    remembered = operation.stages.read_stage().capture
    if not remembered:
        return "no start of live capture is remembered, so its configuration cannot be compared"
    try:
        return operation.capture.find_fault(read_capture(remembered))
    except KeyshiftError as error:
        return f"the bucket's notifications cannot be read ({error})"


def disproof(operation: Operation, *, wait: float, probe_seconds: float = PROBE_SECONDS) -> str | None:
    """Write probes until the event of one has come all the way; what is wrong where none came in time."""
    until = operation.dependencies.ports.clock.monotonic() + wait
    try:
        if probe_arrives(operation, until=until, probe_seconds=probe_seconds):
            return None
    except KeyshiftError as error:
        return f"no probe could be sent through live capture ({error})"
    return f"no event of a probe arrived within {wait:.0f} s: live capture is on in the bucket, and not effective"


def work_on(operation: Operation) -> None:
    """Let the events queue be worked off for a moment: by the functions that poll it, else by this command."""
    if operation.mappings.list_enabled():
        operation.dependencies.sleep(LOOK_SECONDS)
    else:
        operation.serve_events()
