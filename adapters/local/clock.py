"""The machine's clocks."""

import time


class SystemClock:
    """Wall clock, and a monotonic clock that counts while the process or the machine is stopped."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since boot where the system has that clock: CLOCK_MONOTONIC stands still while it is suspended."""
        boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
        return time.clock_gettime(boot_clock) if boot_clock is not None else time.monotonic()
