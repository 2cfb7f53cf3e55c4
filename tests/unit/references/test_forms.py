"""What may name an object that moves holds it: every form in which AWS or a common reader writes a place."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import RulesError
from domain.keys import Location
from domain.references.holders import Reference
from domain.references.reports import ReferenceOutcome, Reported
from handlers.config.rules_file import read_rules
from tests.worlds.augmented_manifests import ManifestWorld
from tests.worlds.gates import Place
from tests.worlds.holders import own_holders
from tests.worlds.items import new_world, rewrite
from tests.worlds.referring import REFERRING_RULES, ReferringWorld

KEY, NEW = "old//a", "new/a"
ANYTHING = Location("line-1", "")
REGIONAL = "s3.eu-central-1.amazonaws.com"
POINT = "arn:aws:s3:eu-central-1:111122223333:accesspoint/reader"

SIGNED = f"https://line-1.{REGIONAL}/{KEY}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=1"
VERSION = f"https://line-1.{REGIONAL}/{KEY}?versionId=3HL4kqtJlcpXroDTDmJ"

REWRITTEN = [
    ("s3://line-1/{}", "s3://line-1/{}"),
    ("S3://line-1/{}", "S3://line-1/{}"),
    ("s3a://line-1/{}", "s3a://line-1/{}"),
    ("s3n://line-1/{}", "s3n://line-1/{}"),
    (" s3://line-1/{}", " s3://line-1/{}"),
    ("\t\nhttps://line-1.s3.amazonaws.com/{}", "\t\nhttps://line-1.s3.amazonaws.com/{}"),
    ("arn:aws:s3:::line-1/{}", "arn:aws:s3:::line-1/{}"),
    ("arn:aws-cn:s3:::line-1/{}", "arn:aws-cn:s3:::line-1/{}"),
    ("arn:aws-us-gov:s3:::line-1/{}", "arn:aws-us-gov:s3:::line-1/{}"),
    ("HTTPS://LINE-1.S3.AMAZONAWS.COM/{}", "HTTPS://line-1.S3.AMAZONAWS.COM/{}"),
    ("https://s3.amazonaws.com/line-1/{}", "https://s3.amazonaws.com/line-1/{}"),
    ("https://line-1.s3-external-1.amazonaws.com/{}", "https://line-1.s3-external-1.amazonaws.com/{}"),
    (f"https://line-1.{REGIONAL}:443/{{}}", f"https://line-1.{REGIONAL}:443/{{}}"),
    (f"https://line-1.{REGIONAL}./{{}}", f"https://line-1.{REGIONAL}./{{}}"),
    ("https://s3.dualstack.eu-central-1.amazonaws.com/line-1/{}",) * 2,
    ("https://line-1.s3-fips.dualstack.us-gov-west-1.amazonaws.com/{}",) * 2,
    ("https://line-1.s3-accelerate.dualstack.amazonaws.com/{}",) * 2,
    ("https://line-1.s3.eusc-de-east-1.amazonaws.eu/{}",) * 2,
    ("https://line-1.s3.us-iso-east-1.c2s.ic.gov/{}",) * 2,
    ("http://line-1.s3-website-us-west-2.amazonaws.com/{}",) * 2,
    ("http://line-1.s3-website.eu-central-1.amazonaws.com/{}",) * 2,
    ("https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com/line-1/{}",) * 2,
    ("https://line-1.bucket.vpce-1a2b3c4d-5e6f-us-east-1a.s3.us-east-1.vpce.amazonaws.com/{}",) * 2,
]
HOLDING = [
    f"s3://id:secret@line-1/{KEY}",
    SIGNED,
    VERSION,
    f"https://line-1.{REGIONAL}/{KEY}#page=2",
    f"s3://line-1/{KEY}?versionId=3HL4kqtJlcpXroDTDmJ",
    f"s3://line-1/{KEY}#part",
    f"s3://line-1/{KEY} ",
    "s3://line-1/old%2F%2Fa",
    f"s3://LINE-1/{KEY}",
    f"https://s3.amazonaws.com/LINE-1/{KEY}",
    f"{POINT}/object/{KEY}",
    f"{POINT.replace(':s3:', ':s3-object-lambda:')}/object/{KEY}",
    f"s3://{POINT}/{KEY}",
    f"arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap/object/{KEY}",
    f"s3://reader-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/{KEY}",
    f"s3://reader-ab12cd34ef56gh78--ol-s3/{KEY}",
    f"https://reader-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias.{REGIONAL}/{KEY}",
    f"https://reader-111122223333.s3-accesspoint.eu-central-1.amazonaws.com/{KEY}",
    f"https://reader-111122223333.s3-accesspoint.dualstack.eu-central-1.amazonaws.com/{KEY}",
    f"https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/{KEY}",
    f"https://reader-111122223333.accesspoint.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com/{KEY}",
]
HOLDING_ALL = [
    "s3://line-1",
    "s3://line-1/",
    "arn:aws:s3:::line-1",
    "arn:aws:s3:::line-1/old/*",
    f"(s3://line-1/{KEY})",
    f"s3://other/x, s3://line-1/{KEY}",
    f"s3://line-1/new/x s3://line-1/{KEY}",
    f"https://other.s3.amazonaws.com/x?of=s3://line-1/{KEY}",
    f"s3:///line-1/{KEY}",
    f"line-1/{KEY}",
    f"line-1.{REGIONAL}/{KEY}",
    f"https://cdn.example.com/line-1/{KEY}",
    f"https://example.com/?of=s3%3A%2F%2Fline-1%2F{KEY}",
    f"https://s3.console.aws.amazon.com/s3/object/line-1?prefix={KEY}",
    f"http://localhost:9000/line-1/{KEY}",
    f"https://line-1.{REGIONAL}/%ff",
    "http://line-1.s3-website.eu-central-1.amazonaws.com/",
    POINT,
    "the images of line-1",
]
NO_CONCERN = [
    "",
    "not yet",
    "s3://line-10/old//a",
    "s3://pipeline-1/old//a",
    "s3://line-1.example.com/old//a",
    "s3a://other/line-1/old//a",
    "arn:aws:s3:::other/line-1/old//a",
    "pipeline-1 is slow",
    "line-1-b",
    "https://other.s3.amazonaws.com/old//a?versionId=1",
    "https://example.com/old//a",
    "s3://line-1/new/a",
    "s3://line-1/new/a%20b?c",
    "https://line-1.s3.amazonaws.com/new/a?versionId=1",
    "https://other.s3.amazonaws.com/line-1/x?of=https://example.com/x",
    "s3://line-1/new/a https://example.com",
    "arn:aws:sns:eu-central-1:111122223333:topic",
]


def held(world: ReferringWorld) -> set[Location]:
    """What the gates and a cleanup learn."""
    return {one.source for one in world.references.find_references()}


def told(text: str, **more: Any) -> tuple[ReferringWorld, list[Reported]]:
    """A job with this text, whose object is migrated, and what a rewriting says of it."""
    world = new_world(KEY)
    world.put_job(uri={"S": text}, **more)
    return world, rewrite(world)


@pytest.mark.parametrize(("before", "after"), REWRITTEN)
def test_what_can_be_read_for_certain_is_written_again_in_its_form(before: str, after: str) -> None:
    """Until it is migrated it holds its object; then it is switched, and an undo brings it back."""
    world = ReferringWorld()
    world.put(KEY)
    item = world.put_job(uri={"S": before.format(KEY)})
    assert Location("line-1", KEY) in held(world)
    world.migrate(KEY)
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.REWRITTEN]
    assert world.job()["uri"] == {"S": after.format(NEW)}
    assert held(world) == set()
    list(world.references.undo_references())
    assert world.job() == item


@pytest.mark.parametrize("text", HOLDING)
def test_what_cannot_be_rewritten_holds_the_object_that_it_may_name(text: str) -> None:
    """It stays as it is, its report says why, and the object under it must not go."""
    world, (report,) = told(text)
    assert world.job()["uri"] == {"S": text}
    assert report.outcome in (ReferenceOutcome.HOLDS, ReferenceOutcome.WAITING)
    assert report.why
    assert Location("line-1", KEY) in held(world)


@pytest.mark.parametrize("text", HOLDING_ALL)
def test_what_speaks_of_the_bucket_and_names_no_certain_key_holds_everything(text: str) -> None:
    """The report names the place and both remedies."""
    world, (report,) = told(text)
    assert held(world) == {ANYTHING}
    assert (report.outcome, report.reference.path) == (ReferenceOutcome.HOLDS, "uri")
    assert "correct it by hand, or name it under 'accept'" in report.why


@pytest.mark.parametrize("text", NO_CONCERN)
def test_a_text_that_speaks_of_other_things_holds_nothing(text: str) -> None:
    """A bucket whose name is longer, a new URI, a word: no gate may shut because of them."""
    world, reports = told(text)
    assert held(world) == set()
    assert [one for one in reports if one.outcome is not ReferenceOutcome.STAYS] == []


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("old//a+b", {"old//a+b", "old//a b"}),
        ("old//a%zz", {"old//a%zz"}),
        ("old//a%2Bb+c", {"old//a+b+c", "old//a+b c"}),
    ],
)
def test_both_readings_of_a_plus_are_held(path: str, keys: set[str]) -> None:
    """S3 takes it for a plus, AWS's older Java library for a space."""
    world, _ = told(f"https://line-1.s3.amazonaws.com/{path}")
    assert keys <= {one.key for one in held(world)}


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("s3://line-1/old//deep/", False),
        ("s3://line-1/old/", True),
        ("https://line-1.s3.amazonaws.com/old/", True),
        ("s3://line-1/new/", False),
        ("s3://line-1/other/", False),
    ],
)
def test_a_folder_holds_what_moves_below_it(text: str, *, folder: bool) -> None:
    """A reader that lists it finds nothing there after a cleanup; a new folder holds nothing."""
    world, _ = told(text)
    assert (Location("line-1", "old/") in held(world)) is folder


def test_a_list_of_uris_in_one_text_holds_all_though_it_reads_as_one_key() -> None:
    """S3 takes any text for a key: what comes after the first URI would go unseen."""
    world, _ = told(f"s3://line-1/{KEY}, s3://line-1/old//b")
    assert ANYTHING in held(world)


class Found:
    """A ReferenceFinder for the holders of a cleanup."""

    def __init__(self, *places: str) -> None:
        self.places = places

    def find_references(self) -> Iterator[Reference]:
        """See the port."""
        return (Reference("table jobs id=1", "uri", "", Location("line-1", place)) for place in self.places)

    def find_copy_references(self) -> Iterator[Reference]:
        """See the port."""
        yield from ()


@pytest.mark.parametrize(
    ("place", "key", "is_held"),
    [
        ("", "old//a", True),
        ("old/", "old//a", True),
        ("old//a", "old//a", True),
        ("old//", "old//a/b", True),
        ("old", "old//a", False),
        ("old//a", "old//ab", False),
        ("older/", "old//a", False),
    ],
)
def test_a_cleanup_leaves_what_a_folder_or_an_unreadable_text_may_name(place: str, key: str, *, is_held: bool) -> None:
    """A location without a key, or one that ends in a slash, stands for all below it."""
    here = Place()
    holders = own_holders(replace(here.operation(), finders=(Found(place),)), here.manifest)
    assert (holders.holder_of(Location("line-1", key)) is not None) is is_held
    assert holders.holder_of(Location("line-2", key)) is None


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ('{"model": {"uri": "s3://line-1/old//a"', {ANYTHING}),
        ('{"model": {"uri": "s3:\\/\\/line\\u002d1\\/old"', {ANYTHING}),
        (f'{{"model": "{POINT}/object/x', {ANYTHING}),
        ("s3://line-1/old//a", {Location("line-1", KEY)}),
        ("s3://line-1/new/a", set()),
        ("{broken, of other things", set()),
    ],
)
def test_a_text_that_should_be_json_holds_what_it_may_name(text: str, sources: set[Location]) -> None:
    """All of it, where the bucket's name stands in it in any escape; one object, where it is simply its URI."""
    world = new_world()
    world.put_job(config={"S": text})
    assert held(world) == sources


@pytest.mark.parametrize(
    ("line", "is_held"),
    [
        (b'{"source-ref": "s3://line-1/old//a"', True),
        ('{"source-ref": "s3://line-1/old//a"}'.encode("utf-16"), True),
        (b"# pictures", False),
    ],
)
def test_a_line_of_a_manifest_that_cannot_be_read_holds_what_it_may_name(line: bytes, *, is_held: bool) -> None:
    """Everything, by the manifest's name and the line's number; a comment about other things holds nothing."""
    world = ManifestWorld()
    place = world.put("new/own.manifest", line)
    found = [one for one in world.scan.find_references() if one.holder == place.uri]
    assert {(one.path, one.source) for one in found} == ({("line 1", ANYTHING)} if is_held else set())


def test_a_manifests_uri_that_cannot_be_rewritten_holds_its_object() -> None:
    """Also in a manifest that is rewritten apart from it."""
    world = ManifestWorld()
    place = world.put("new/own.manifest", json.dumps({"source-ref": SIGNED}).encode())
    found = [one for one in world.scan.find_references() if one.holder == place.uri]
    assert ("line 1 source-ref", KEY) in [(one.path, one.source.key) for one in found]


ACCEPTING = REFERRING_RULES.replace(
    "    indexes: {by-uri: uri}\n",
    '    indexes: {by-uri: uri}\n    accept: [{text: "see line-1*", why: a note}, {text: "*X-Amz-*", why: expired}]\n',
)


@pytest.mark.parametrize("text", ["see line-1 for more", SIGNED])
def test_the_rules_file_accepts_texts_that_are_no_references(text: str) -> None:
    """They hold nothing then, and the report tells who said so."""
    world = ReferringWorld(rules=ACCEPTING)
    world.put(KEY)
    world.migrate(KEY)
    world.put_job(uri={"S": text})
    assert held(world) == set()
    (report,) = rewrite(world)
    assert (report.outcome, "accepted in the rules file: " in report.why) == (ReferenceOutcome.STAYS, True)


@pytest.mark.parametrize("text", ["s3://line-1/old//see line-1?X-Amz-1", VERSION, "line-1 is another matter"])
def test_what_is_accepted_takes_nothing_else_with_it(text: str) -> None:
    """A URI that is certain holds its object in spite of its look; so do texts of another form."""
    world = ReferringWorld(rules=ACCEPTING)
    world.put_job(uri={"S": text})
    assert held(world)


def test_a_rules_file_cannot_accept_every_text() -> None:
    """That would switch the gate off."""
    with pytest.raises(RulesError, match="it would accept every text"):
        read_rules(REFERRING_RULES.replace("    indexes:", "    accept: [{text: '*', why: never mind}]\n    indexes:"))


@pytest.mark.parametrize(
    ("attribute", "value", "path"),
    [
        ("uri", {"L": [{"S": "x"}, {"S": f"s3://line-1/{KEY}"}]}, "uri[1]"),
        ("uri", {"M": {"of": {"SS": ["x", f"s3://line-1/{KEY}"]}}}, "uri.of"),
        ("config", {"S": json.dumps({"model": {"deep": {"uri": f"s3://line-1/{KEY}"}}})}, "config:model.deep.uri"),
    ],
)
def test_a_list_or_map_at_a_declared_place_holds_what_it_names(attribute: str, value: Any, path: str) -> None:
    """The application changed its form since it was declared; the report says which path to declare."""
    world = new_world(KEY)
    before = world.put_job(**{attribute: value})
    (report,) = rewrite(world)
    assert (report.outcome, report.reference.path) == (ReferenceOutcome.HOLDS, path)
    assert "declare the path of the text in it" in report.why
    assert world.job() == before
    assert held(world) == {Location("line-1", KEY)}


def test_a_declared_path_below_another_one_is_rewritten_as_such() -> None:
    """Both are declared, the list and what is in it."""
    world = ReferringWorld(rules=REFERRING_RULES.replace("      - uri\n", '      - uri\n      - "uri[*]"\n'))
    world.put(KEY)
    world.migrate(KEY)
    world.put_job(uri={"L": [{"S": f"s3://line-1/{KEY}"}]})
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.REWRITTEN]
    assert held(world) == set()


def test_a_list_in_a_manifests_line_holds_what_it_names() -> None:
    """Where a text was declared."""
    world = ManifestWorld()
    place = world.put("new/own.manifest", json.dumps({"source-ref": [f"s3://line-1/{KEY}"]}).encode())
    found = [one for one in world.scan.find_references() if one.holder == place.uri]
    assert [(one.path, one.source.key) for one in found] == [("line 1 source-ref[0]", KEY)]
