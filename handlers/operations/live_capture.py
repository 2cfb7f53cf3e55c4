"""Whether live capture is on at this moment: the bucket's configuration, and a probe."""

from domain.errors import KeyshiftError
from handlers.operations.operator import Operation
from handlers.operations.start import LOOK_SECONDS, PROBE_SECONDS, probe_arrives, read_capture


def capture_fault(operation: Operation) -> str | None:
    """What the bucket's configuration lacks for live capture, or ``None``; it does not prove that events arrive.

    A configuration that cannot be read is a fault: a gate without information is closed.
    """
    remembered = operation.stages.read_stage().capture
    if not remembered:
        return "no start of live capture is remembered, so its configuration cannot be compared"
    try:
        return operation.capture.find_fault(read_capture(remembered))
    except KeyshiftError as error:
        return f"the bucket's notifications cannot be read ({error})"


def disproof(operation: Operation, *, wait: float, probe_seconds: float = PROBE_SECONDS) -> str | None:
    """Write probes until the event of one has arrived; returns the fault if none arrived in time, or ``None``."""
    until = operation.dependencies.ports.clock.monotonic() + wait
    try:
        if probe_arrives(operation, until=until, probe_seconds=probe_seconds):
            return None
    except KeyshiftError as error:
        return f"no probe could be sent through live capture ({error})"
    return f"no event of a probe arrived within {wait:.0f} s: live capture is on in the bucket, and not effective"


def work_on(operation: Operation) -> None:
    """Wait while functions work the events queue off; if no function polls it, this command works it off."""
    if operation.mappings.list_enabled():
        operation.dependencies.sleep(LOOK_SECONDS)
    else:
        operation.serve_events()
