"""A client as the bench sees it: something that copies the sources below a target, and what it spent."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.processes import Spent
from bench.site import Site, Sources


@dataclass(frozen=True, slots=True)
class Client:
    """``run`` copies the sources below the target and returns what its processes spent, their start included."""

    name: str
    version: str
    does: str
    run: Callable[[Site, Sources, str], Spent]
