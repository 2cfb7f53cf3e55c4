"""Random records and claim requests for the manifest's suites."""

from dataclasses import replace

from hypothesis import strategies as st

from domain.keys import Location, Sequencer
from domain.protocol.causes import Cause
from domain.protocol.claims import ClaimRequest
from domain.protocol.intents import Action, Intent
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.record import EMPTY_TARGET, Claim, Mode, Origin, Record, State, Upload
from domain.protocol.seen_parts import SeenParts

SOURCE = Location("bucket", "old/key")
TARGET = Location("bucket", "new/key")

etags = st.sampled_from(["a" * 32, "b" * 32, "c" * 32 + "-7"])
versions = st.sampled_from(["v1", "v2", "null"])
tokens = st.sampled_from(["t1", "t2"])
times = st.sampled_from([0.0, 1.5, 1_790_000_000.123457, 1_790_000_000.5, 1e9 / 3])
sequencers = st.one_of(
    st.none(),
    st.sampled_from(["00", "0A", "0a", "0B", "00FF", "0100", "F" * 40, "E" * 40]).map(Sequencer),
)
checksums = st.sampled_from(["", "CRC64NVME=abc="])
intents = st.builds(
    Intent,
    action=st.sampled_from(Action),
    etag=st.one_of(st.just(""), etags),
    version_id=st.one_of(st.just(""), versions),
    target_etag=st.one_of(st.just(""), etags),
    checksum=checksums,
    not_before=st.sampled_from([0, 1_790_000_000]),
    is_refused=st.booleans(),
)
claims = st.builds(Claim, token=tokens, deadline=times)
uploads = st.builds(
    Upload,
    upload_id=st.just("u"),
    location=st.just(TARGET),
    etag=etags,
    version_id=st.one_of(st.just(""), versions),
    last_modified=st.integers(0, 2**31),
    part_size=st.integers(1, 5 * 2**30),
    not_before=st.sampled_from([0, 1_790_000_000]),
)

seen_parts = st.builds(
    SeenParts,
    metadata=st.integers(0, 3),
    tags=st.integers(0, 10),
    storage_class=st.sampled_from(["STANDARD", "STANDARD_IA"]),
    has_kms_key=st.booleans(),
    lock=st.sampled_from(["", "GOVERNANCE until 2099-01-01T00:00:00+00:00", "legal hold"]),
    annotations=st.sampled_from([None, 0, 1, 1_000]),
    lost=st.sampled_from([(), ("tags",), ("lock", "annotations")]),
    is_proven=st.booleans(),
    source_key=st.sampled_from(["", "arn:aws:kms:us-east-1:111111111111:key/old"]),
    checksum=st.sampled_from(["", "SHA256 of its parts, CRC64NVME of the whole at the copy"]),
    versions=st.sampled_from([None, 0, 3]),
    by_inventories=st.booleans(),
)


def records(source: Location = SOURCE) -> st.SearchStrategy[Record]:
    """Records in any shape; one without a claim has no intent (domain.protocol.record)."""
    return st.builds(
        _record,
        st.builds(
            Record,
            source=st.just(source),
            target=st.just(TARGET),
            state=st.sampled_from(State),
            revision=st.integers(1, 10**6),
            mode=st.sampled_from([Mode.FORWARD, Mode.FORWARD, Mode.ROLLED_BACK]),
            sequencer=sequencers,
            source_etag=st.none() | etags,
            source_version=st.none() | versions,
            target_etag=st.none() | etags,
            target_version=st.none() | versions,
            size=st.none() | st.integers(0, 2**50),
            maybe=st.frozensets(intents, max_size=2),
            upload=st.none() | uploads,
            marker_version=st.none() | versions,
            cleaned_etag=st.none() | st.just("") | etags,
            replaceable_etag=st.none() | st.just(EMPTY_TARGET) | etags,
            origin=st.none() | st.sampled_from(Origin),
            cause=st.none() | st.sampled_from(Cause),
            cause_detail=st.sampled_from(["", "s3://b/x: too long"]),
            rule=st.sampled_from(["", "training"]),
            rules_digest=st.sampled_from(["", "d" * 64]),
            verified_at=st.none() | times,
            seen=st.none() | seen_parts,
            rewritten_etag=st.none() | etags,
            changed_at=times,
        ),
        st.none() | st.tuples(claims, st.none() | intents),
    )


def _record(record: Record, held: tuple[Claim, Intent | None] | None) -> Record:
    return record if held is None else replace(record, claim=held[0], intent=held[1])


def requests(source: Location = SOURCE) -> st.SearchStrategy[ClaimRequest]:
    """Claim requests for every kind of notice."""
    notices = st.builds(
        Notice,
        kind=st.sampled_from(NoticeKind),
        source=st.just(source),
        etag=st.none() | etags,
        version_id=st.none() | versions,
        sequencer=sequencers,
    )
    return st.builds(
        ClaimRequest,
        notice=notices,
        target=st.just(TARGET),
        claim=claims,
        intent=st.none() | intents,
        now=times,
        rule=st.sampled_from(["", "training"]),
        rules_digest=st.sampled_from(["", "d" * 64]),
    )
