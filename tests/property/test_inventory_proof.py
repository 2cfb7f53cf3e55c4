"""Whatever inventories prove, a look at the moment of which they are certain proves too, but for what they do not show.

The objects, what people do to them, what keyshift does, how late each row is and when the reports began are random.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.keys import Location
from domain.lifecycle.inventory_proof import prove_by_inventories
from domain.lifecycle.reported import ReportedObject
from domain.lifecycle.verification import Difference, Sides, judge
from domain.objects import Encryption, Lock, ObjectState
from domain.planning.inventory import SETTLING_SECONDS, Inventory, certain_until
from domain.protocol.record import Origin, Record, State

BEGIN = 1_790_000_000.0
NOT_SHOWN = {Difference.METADATA, Difference.HEADERS, Difference.TAGS, Difference.LOCK}
STATUSES = {None: "NOT-SSE", "AES256": "SSE-S3", "aws:kms": "SSE-KMS"}
ALGORITHMS = (*("AES256",) * 8, None, "aws:kms")


@dataclass(frozen=True)
class Story:
    """What is random: the first object, acts by their hours, how late the rows are, and what they lack."""

    versioned: bool
    first: Mapping[str, Any]
    copied: Mapping[str, Any]
    acts: list[tuple[float, str, Mapping[str, Any]]]
    lags: tuple[float, float]
    later: float
    lacks: tuple[int, int]


@dataclass
class World:
    """Two keys and the record between them, and what was at each key from which time on."""

    versioned: bool
    record: Record = field(default_factory=lambda: Record(Location("b", "old/k"), Location("b", "new/k")))
    source: ObjectState | None = None
    target: ObjectState | None = None
    writes: int = 0
    committed_at: float = 0.0
    told: list[tuple[float, ObjectState | None, ObjectState | None]] = field(default_factory=list)

    def act(self, at: float, name: str, drawn: Mapping[str, Any]) -> None:
        """One act of a producer, of another writer, of keyshift or of a lifecycle rule."""
        match name:
            case "put":
                self.source = self._written(at, drawn)
            case "put there":
                self.target = self._written(at, drawn)
            case "delete":
                self.source = None
            case "delete there":
                self.target = None
            case "copy" if self.source is not None:
                kept = drawn if drawn["loses"] else {}
                put = self._written(at, drawn)
                # KMS gives each copy an etag of its own, and so does another number of parts.
                own = drawn["encryption"].is_kms or "-" in self.source.etag or self.source.encryption.is_kms
                etag = put.etag if own else self.source.etag
                self.target = replace(
                    self.source,
                    etag=etag,
                    size=self.source.size,
                    encryption=put.encryption,
                    version_id=put.version_id,
                    last_modified=put.last_modified,
                    metadata=kept.get("metadata", self.source.metadata),
                    storage_class=kept.get("storage_class", self.source.storage_class),
                )
                self._commit(at)
            case "mark":
                self._mark(at)
            case "transition" if self.source is not None:
                self.source = replace(self.source, storage_class=drawn["storage_class"])
            case "lock" if self.source is not None:
                self.source = replace(self.source, lock=drawn["lock"])
        self.told.append((at, self.source, self.target))

    def at(self, moment: float) -> tuple[ObjectState | None, ObjectState | None]:
        """What was at both keys."""
        shown = [(source, target) for at, source, target in self.told if at <= moment]
        return shown[-1] if shown else (None, None)

    def _written(self, at: float, drawn: Mapping[str, Any]) -> ObjectState:
        self.writes += 1
        body, encryption = drawn["body"], drawn["encryption"]
        etag = f"{body:x}" * 32 if not encryption.is_kms else f"{self.writes:032x}"
        return ObjectState(
            etag=etag + "-2" if drawn["in_parts"] else etag,
            size=body,
            version_id=f"v{self.writes}" if self.versioned else None,
            last_modified=int(at),
            metadata=drawn["metadata"],
            tags=drawn["metadata"],
            storage_class=drawn["storage_class"],
            encryption=encryption,
            lock=drawn["lock"],
        )

    def _commit(self, at: float) -> None:
        source, target = self.source, self.target
        self.committed_at = at
        assert source is not None
        assert target is not None
        self.record = replace(
            self.record,
            state=State.COPIED,
            source_etag=source.etag,
            source_version=source.version_id,
            target_etag=target.etag,
            target_version=target.version_id,
            copied_before=target.last_modified + 1,
            origin=Origin.CREATED,
            verified_at=None,
            seen=None,
            changed_at=at,
        )

    def _mark(self, at: float) -> None:
        """As verify does it."""
        finding = judge(self.record, Sides(self.source, self.target), now=at)
        verified_at = at if finding.verified else None
        self.record = replace(self.record, verified_at=verified_at, seen=finding.seen, changed_at=at)


DRAWN = st.fixed_dictionaries(
    {
        "body": st.sampled_from([1, 1, 1, 2]),
        "metadata": st.sampled_from([{}, {"m": "1"}]),
        "storage_class": st.sampled_from(["STANDARD", "STANDARD_IA"]),
        "encryption": st.builds(Encryption, st.sampled_from(ALGORITHMS)),
        "lock": st.sampled_from([*[Lock()] * 7, Lock(legal_hold=True)]),
        "in_parts": st.sampled_from([*[False] * 9, True]),
        "loses": st.sampled_from([False, False, True]),
    }
)
NAMES = ("put", "copy", "copy", "mark", "put there", "delete", "delete there", "transition", "lock")
BY_ACT = st.tuples(st.one_of(st.floats(-9, 9), st.floats(-0.0005, 0.0005)), st.sampled_from(NAMES), DRAWN)
"""Hours are counted from the moment of which the reports are certain: that is where it matters."""


LAGS = st.one_of(st.floats(0, 0.2), st.floats(0, 1))
"""At the acts, or anywhere in the time of which a row may be."""


def reported(seen: ObjectState | None, drawn: int) -> ReportedObject | None:
    """The row of an object; a few lack something."""
    if seen is None:
        return None
    row = ReportedObject(
        seen.etag,
        seen.size,
        seen.version_id,
        float(seen.last_modified),
        seen.storage_class,
        STATUSES[seen.encryption.algorithm],
        is_plain=not seen.encryption.is_kms and not seen.lock.as_text,
    )
    lacking = {1: {"encryption": ""}, 2: {"version_id": None}, 3: {"storage_class": None}}
    return replace(row, **lacking.get(drawn, {}))  # type: ignore[arg-type]  # each is of its field


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """One of each."""
    return Story(
        versioned=draw(st.booleans()),
        first=draw(DRAWN),
        copied=draw(DRAWN),
        acts=sorted(draw(st.lists(BY_ACT, max_size=4)), key=itemgetter(0)),
        lags=draw(st.tuples(LAGS, LAGS)),
        later=draw(st.floats(0, 4)),
        lacks=draw(st.tuples(st.integers(0, 40), st.integers(0, 40))),
    )


def test_what_inventories_prove_a_look_proves() -> None:
    """At that moment both keys held what the record says, and the target lacks only what no inventory shows."""
    counted = Counter[bool]()

    @settings(max_examples=1_500, deadline=None)
    @given(stories())
    def explore(story: Story) -> None:
        counted[is_proven(story)] += 1

    explore()
    assert counted[True] > counted.total() / 20, counted


def is_proven(story: Story) -> bool:
    """Whether the inventories prove the object of the story; AssertionError where a look disproves it."""
    begins = (BEGIN, BEGIN + story.later * 3600)
    until = certain_until([Inventory("b", "d", "CSV", (), (), begun) for begun in begins], margin=0.0)
    world = World(story.versioned)
    world.act(until - 40_000, "put", story.first)
    world.act(until - 39_000, "copy", story.copied)
    for hours, name, drawn in story.acts:
        world.act(until + hours * 3600, name, drawn)
    # Each row is of a moment between the last one that is certain and the end of the report.
    moments = [until + lag * (begun + 7200 - until) for lag, begun in zip(story.lags, begins, strict=True)]
    source, target = (world.at(moment)[side] for side, moment in enumerate(moments))
    assert min(moments) >= until == min(begins) - SETTLING_SECONDS
    proof = prove_by_inventories(
        world.record, reported(source, story.lacks[0]), reported(target, story.lacks[1]), until=until
    )
    if proof is None:
        return False
    # A copy that was made later has to be right too: its record says no more what was there at that moment.
    findings = (judge(world.record, Sides(*world.at(at)), now=at) for at in (until, max(until, world.committed_at)))
    # A transition after that moment may have given a source the class that its copy has.
    transitions = any(name == "transition" and hours > 0 for hours, name, _ in story.acts)
    allowed = NOT_SHOWN | ({Difference.STORAGE_CLASS} if transitions else set())
    for finding in findings:
        assert set(finding.differences) <= allowed, finding
    return True
