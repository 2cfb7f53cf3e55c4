"""Lines of a manifest: which of them are switched, what is said of the others, and where they stand."""

import json
from collections.abc import Sequence

import pytest

from domain.errors import RefusedRequestError
from domain.keys import Location
from domain.references.manifest_lines import LINES_AT_ONCE, MAX_LINE_BYTES, ManifestLine, lines_of, rewritten_lines
from domain.references.reports import ReferenceOutcome, Reported
from tests.worlds.referring import REFERRING_RULES, ReferringWorld

OLD, NEW = "s3://line-1/old//a.png", "s3://line-1/new/a.png"
SIGNED = "https://line-1.s3.amazonaws.com/old//a.png?X-Amz-Signature=1"
REGIONAL = "https://line-1.s3.eu-central-1.amazonaws.com/old//a.png"


def moved(rules: str = REFERRING_RULES) -> ReferringWorld:
    """A world whose one image is migrated."""
    world = ReferringWorld(rules=rules)
    if world.rules.target_bucket != world.bucket:
        world.store.create_bucket(world.rules.target_bucket)
    world.put("old//a.png")
    world.migrate("old//a.png")
    return world


def switched(world: ReferringWorld, lines: Sequence[bytes]) -> list[ManifestLine]:
    """The lines as a manifest of that name holds them."""
    declared = world.rules.references.manifests
    return list(rewritten_lines(iter(lines), declared, holder="list", rules=world.rules, ports=world.migration_ports))


def said(lines: Sequence[ManifestLine]) -> list[tuple[str, ReferenceOutcome]]:
    """Places and what is said of them."""
    return [(one.reference.path, one.outcome) for line in lines for one in line.reports]


def row(**attributes: object) -> bytes:
    """One line."""
    return json.dumps(attributes).encode() + b"\n"


def only(lines: Sequence[ManifestLine]) -> tuple[ManifestLine, Reported]:
    """The one line and the one report."""
    (line,) = lines
    (report,) = line.reports
    return line, report


def test_the_longest_line_is_read_and_a_longer_one_is_refused_by_name() -> None:
    """What has no end of a line for so long is not an augmented manifest, and is not gathered in memory."""
    longest = b"x" * MAX_LINE_BYTES
    assert list(lines_of(iter([longest]), name="list")) == [longest]
    with pytest.raises(RefusedRequestError, match=f"^list has a line of more than {MAX_LINE_BYTES} bytes"):
        list(lines_of(iter([longest + b"x"]), name="list"))


def test_every_line_is_called_by_its_number_from_one() -> None:
    """Empty lines count, and so do those that were read before in other requests, whatever is said of a line."""
    world = moved()
    rows = [b"no json\n", b"\n", row(**{"source-ref": OLD}), b"no json\n"]
    far = [b"\n"] * (LINES_AT_ONCE - 2)
    assert said(switched(world, [*rows, *far, row(**{"source-ref": SIGNED}), row(**{"source-ref": OLD})])) == [
        ("line 1", ReferenceOutcome.STAYS),
        ("line 3 source-ref", ReferenceOutcome.READY),
        ("line 4", ReferenceOutcome.STAYS),
        (f"line {LINES_AT_ONCE + 3} source-ref", ReferenceOutcome.HOLDS),
        (f"line {LINES_AT_ONCE + 4} source-ref", ReferenceOutcome.READY),
    ]


def test_a_switched_reference_is_reported_with_its_new_uri_wherever_it_stands() -> None:
    """Attributes that nobody declared may come before it, and keep their text."""
    line, report = only(switched(moved(), [row(x=OLD, **{"source-ref": OLD})]))
    assert line.after == row(x=OLD, **{"source-ref": NEW})
    assert (report.reference.uri, report.outcome, report.new_uri) == (OLD, ReferenceOutcome.READY, NEW)


def test_a_uri_that_cannot_be_rewritten_stays_with_its_reason() -> None:
    """A presigned URL is signed for its old key; whoever reads the report learns so."""
    line, report = only(switched(moved(), [row(**{"source-ref": SIGNED})]))
    assert line.after == line.before
    assert (report.outcome, report.reference.uri) == (ReferenceOutcome.HOLDS, SIGNED)
    assert "presigned URL" in report.why


def test_a_reference_waits_while_its_object_is_not_proven_at_its_new_key() -> None:
    """A record that says copied is not enough: somebody may have taken the copy away."""
    world = moved()
    world.store.remove(Location("line-1", "new/a.png"))
    line, report = only(switched(world, [row(**{"source-ref": OLD})]))
    assert line.after == line.before
    assert (report.outcome, report.why) == (ReferenceOutcome.WAITING, f"{NEW} no longer holds what was copied there")


def test_a_host_with_a_region_is_switched_to_the_region_of_the_new_bucket() -> None:
    """The region of the old bucket in the new bucket's host would lead nowhere."""
    world = moved(REFERRING_RULES.replace("target: {bucket: line-1}", "target: {bucket: line-2, region: eu-west-1}"))
    line, _ = only(switched(world, [row(**{"source-ref": REGIONAL})]))
    assert line.after == row(**{"source-ref": "https://line-2.s3.eu-west-1.amazonaws.com/new/a.png"})


def test_one_reference_that_stays_keeps_no_other_of_its_line_back() -> None:
    """Nobody said where the new bucket is, which only the host with a region must know."""
    world = moved(REFERRING_RULES.replace("target: {bucket: line-1}", "target: {bucket: line-2}"))
    (line,) = switched(world, [row(**{"source-ref": REGIONAL, "mask-ref": OLD})])
    assert line.after == row(**{"source-ref": REGIONAL, "mask-ref": "s3://line-2/new/a.png"})
    assert [(one.outcome, "target.region" in one.why) for one in line.reports] == [
        (ReferenceOutcome.HOLDS, True),
        (ReferenceOutcome.READY, False),
    ]
