"""The functions that copy, as the plan assumes them."""

from dataclasses import dataclass

MIB_OF_ONE_CORE = 1_769.0
"""Memory at which a function has one whole core (Lambda's guide, "Configure Lambda function memory")."""
CPU_SECONDS_PER_OBJECT = 0.001
"""CPU of one core to claim, copy and commit a small object: an upper bound of what docs/performance.md measures."""
SECONDS_PER_OBJECT = 0.15
"""The assumed time of one object, from its claim to its commit."""


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions that copy: MiB of memory, and objects at once in each; the defaults are the stack's."""

    memory: int = 1024
    objects_at_once: int = 16

    def gib_seconds(self, objects: int, seconds: float) -> float:
        """What is billed for objects that take ``seconds`` in all, one after the other; each place is taken."""
        cpu = objects * CPU_SECONDS_PER_OBJECT * MIB_OF_ONE_CORE / self.memory
        return max(seconds / self.objects_at_once, cpu) * self.memory / 1024


DEPLOYED = Functions()
"""Functions with the stack's own parameters."""
