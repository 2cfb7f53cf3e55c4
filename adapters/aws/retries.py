"""Repeats a request that may succeed later."""

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from domain.errors import TransientError


def retrying(*, attempts: int, first: float, longest: float, after: type[TransientError] = TransientError) -> Retrying:
    """Attempts of a ``with`` block while it raises ``after``; the last error is raised.

    The pauses are drawn at random up to ``first`` seconds, then up to twice as many each time, at most ``longest``.
    """
    return Retrying(
        retry=retry_if_exception_type(after),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=first, max=longest),
        reraise=True,
    )
