"""Where the bytes of URIs are now, as a plain call for services and commands."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from domain.lifecycle.ports import StageBook
from domain.protocol.ports import Manifest, ObjectStore
from domain.references.resolver import Names, Resolution, ResolveFault, names_of, resolve
from domain.rules.compiled import CompiledRules

BATCH = 100
"""Number of URIs whose records are read in one request."""
LOOKS_AT_ONCE = 16
ROUNDS = 3
"""A key that moves between the read of its record and the read of S3 is found in the next round."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves any URI, old or new; each answer contains the number of seconds for which it is valid.

    Raises TransientError or PermanentError where the manifest or S3 cannot be read: keyshift does not guess.
    """

    rules: CompiledRules
    manifest: Manifest
    store: ObjectStore
    stages: StageBook

    def resolve(self, uri: str) -> Resolution:
        """The answer for one URI."""
        return next(self.resolve_all([uri]))

    def resolve_all(self, uris: Sequence[str]) -> Iterator[Resolution]:
        """The answers in the order of the URIs; records are read in batches, objects in parallel."""
        with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look") as pool:
            for start in range(0, len(uris), BATCH):
                yield from self._batch(uris[start : start + BATCH], pool)

    def _batch(self, uris: Sequence[str], pool: ThreadPoolExecutor) -> list[Resolution]:
        named = [names_of(uri, self.rules) for uri in uris]
        answers = {at: one for at, one in enumerate(named) if isinstance(one, Resolution)}
        waiting = {at: one for at, one in enumerate(named) if isinstance(one, Names)}
        for _ in range(ROUNDS):
            if not waiting:
                break
            stage = self.stages.read_stage().stage
            records = self.manifest.read_records(
                list(dict.fromkeys(legacy.record_id for names in waiting.values() for legacy in names.legacy))
            )
            found = pool.map(
                lambda names, known=records, now=stage: resolve(
                    names, rules=self.rules, records=known, stage=now, look=self.store.look_at_object
                ),
                waiting.values(),
            )
            answers |= dict(zip(waiting, found, strict=True))
            waiting = {at: names for at, names in waiting.items() if answers[at].fault is ResolveFault.VANISHED}
        return [answers[at] for at in range(len(uris))]


def as_json(answer: Resolution) -> dict[str, Any]:
    """As JSON."""
    return asdict(answer)
