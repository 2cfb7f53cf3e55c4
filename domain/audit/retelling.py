"""Whether two events of one change agree: a later version of keyshift may add to it, but not contradict it."""

from typing import Any


def is_retold(one: object, other: object) -> bool:
    """Whether the one event contains all fields of the other event, with the same values.

    Within a version of the event's schema, fields may be added and none removed. So after a deployment between two
    deliveries of one change, the newer handler's event contains the older one's, whichever came first.
    """
    return _holds(one, other) or _holds(other, one)


def _holds(more: Any, less: Any) -> bool:
    if isinstance(more, dict) and isinstance(less, dict):
        return all(name in more and _holds(more[name], less[name]) for name in less)
    if isinstance(more, list) and isinstance(less, list):
        return len(more) == len(less) and all(map(_holds, more, less))
    return bool(type(more) is type(less) and more == less)
