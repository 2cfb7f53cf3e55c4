"""Where the bytes of URIs are right now: for services as a plain call, and as a Lambda function."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from domain.errors import InputError
from domain.ports import Manifest, ObjectStore, StageBook
from domain.resolver import Fault, Names, Resolution, names_of, resolve
from domain.rules import CompiledRules

BATCH = 100
"""URIs whose records are read at once."""
LOOKS_AT_ONCE = 16
ROUNDS = 3
"""A key that moves between the read of its record and the look at S3 is found in the next round."""
MOST_URIS = 1_000
"""Of one invocation."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Answers for any URI, old or new; every answer says for how many seconds it is good.

    Raises TransientError or PermanentError where the manifest or S3 cannot be asked: no guess is made.
    """

    rules: CompiledRules
    manifest: Manifest
    store: ObjectStore
    stages: StageBook

    def resolve(self, uri: str) -> Resolution:
        """The answer for one URI."""
        return next(self.resolve_all([uri]))

    def resolve_all(self, uris: Sequence[str]) -> Iterator[Resolution]:
        """The answers in the order of the URIs; records are read in batches, looks are taken side by side."""
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
            waiting = {at: names for at, names in waiting.items() if answers[at].fault is Fault.VANISHED}
        return [answers[at] for at in range(len(uris))]


def as_json(answer: Resolution) -> dict[str, Any]:
    """For machines."""
    return asdict(answer)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001  # Lambda's two
    """Answer ``{"uris": […]}`` (or ``{"uri": …}``) with ``{"answers": […]}``."""
    return respond(event, _resolver())


def respond(event: Mapping[str, Any], resolver: Resolver) -> dict[str, Any]:
    """The answers; raises InputError for an event of another shape."""
    uris = event.get("uris", [event["uri"]] if "uri" in event else None)
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise InputError('the event must be {"uris": ["s3://…", …]} or {"uri": "s3://…"}')
    if len(uris) > MOST_URIS:
        raise InputError(f"the event has {len(uris)} URIs, one call answers {MOST_URIS}; send them in parts")
    return {"answers": [as_json(answer) for answer in resolver.resolve_all(uris)]}


@cache
def _resolver() -> Resolver:
    from handlers.bootstrap.references import resolver_of
    from handlers.settings import read_settings

    return resolver_of(read_settings())
