"""A text in which an object that moves is named, in any form and by any writer, is never dropped."""

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from hypothesis import assume, given
from hypothesis import strategies as st

from domain.keys import Location, key_fault
from domain.protocol.record import State
from domain.references.items import HeldUri
from domain.references.judging import Legacy, Stuck, judge, judge_line
from domain.references.reports import ReferenceOutcome
from domain.rules.compiled import MapOutcome
from domain.rules.paths import read_path
from domain.rules.references import AttributePath
from tests.worlds.items import rewrite
from tests.worlds.referring import ReferringWorld, compiled

RULES = """
version: 1
migration: line
source: {bucket: line-1}
target: {bucket: line-2, region: eu-west-1}
rules: [{name: move, from: "old/{rest*}", to: "new/{rest*}"}]
references:
  - table: jobs
    key: id
    attributes: [uri, {path: config, json: "model"}, {path: bare, bucket: line-1}]
"""
PLACE = AttributePath("uri", read_path("uri"))
REGIONAL = "s3.eu-central-1.amazonaws.com"

pieces = st.sampled_from(
    ["a", "b.tar.gz", "/", "//", " ", "+", "%", "%20", "%2B", "?", "#", "=", "&", "ä", "'", '"', "\\"]
)
keys = (
    st.lists(pieces | st.text(max_size=3), min_size=1, max_size=6)
    .map(lambda parts: "old/" + "".join(parts))
    .filter(lambda key: key_fault(key) is None and compiled(RULES).map_key(key).outcome is MapOutcome.MOVE)
)


def _raw(key: str) -> str:
    return key


ENCODERS: tuple[Callable[[str], str], ...] = (
    quote,
    lambda key: quote(key, safe=""),
    lambda key: quote_plus(key, safe="/"),
)
encoded = st.sampled_from([*ENCODERS, _raw])
plain_forms = st.sampled_from(
    [
        "s3://line-1/{}",
        "S3://line-1/{}",
        "s3a://line-1/{}",
        "s3n://line-1/{}",
        "arn:aws:s3:::line-1/{}",
        "arn:aws-cn:s3:::line-1/{}",
        "s3://LINE-1/{}",
        "s3://reader-abc-s3alias/{}",
        "s3://reader-ab--ol-s3/{}",
        "arn:aws:s3:eu-west-1:111122223333:accesspoint/r/object/{}",
        "s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/r/{}",
        "arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap/object/{}",
    ]
)
url_forms = st.sampled_from(
    [
        f"https://line-1.{REGIONAL}/{{}}",
        f"HTTPS://LINE-1.{REGIONAL.upper()}/{{}}",
        f"http://{REGIONAL}/line-1/{{}}",
        "https://s3.amazonaws.com/line-1/{}",
        "https://line-1.s3.dualstack.eu-west-1.amazonaws.com/{}",
        "https://line-1.s3-accelerate.amazonaws.com/{}",
        "https://line-1.s3-external-1.amazonaws.com/{}",
        "http://line-1.s3-website-us-west-2.amazonaws.com/{}",
        "http://line-1.s3-website.eu-west-1.amazonaws.com/{}",
        "https://r-111122223333.s3-accesspoint.eu-west-1.amazonaws.com/{}",
        "https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/{}",
        "https://line-1.bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com/{}",
    ]
)
endings = st.sampled_from(["", "", "?versionId=x", "?X-Amz-Signature=1&X-Amz-Date=2", "#page=1", "?a=1#b", " ", "\n"])
around = st.sampled_from(["{}", "{}", " {}", "\n{}", "see {}", "<{}>", '"{}"', "{}, {}", "file://x {}", "[{}]"])
named = st.one_of(
    st.builds(lambda form, key, end: (form.format(key) + end, key), plain_forms, keys, endings),
    st.builds(lambda form, key, how, end: (form.format(how(key)) + end, key), url_forms, keys, encoded, endings),
    st.builds(lambda form, key, how: (form.format(how(key)), key), plain_forms, keys, encoded),
)


def covers(held: Location, source: Location) -> bool:
    """Whether what is held is the source, or everything around it."""
    is_around = not held.key or held.key.endswith("/")
    return held == source or (held.bucket == source.bucket and is_around and source.key.startswith(held.key))


def holds(judged: Legacy | Stuck | None, source: Location) -> bool:
    """Whether the source is safe under this judgement."""
    if isinstance(judged, Legacy):
        return any(covers(one, source) for one in (judged.source, *judged.also))
    return judged is not None and any(covers(one, source) for one in judged.holds)


@given(named=named, around=around)
def test_a_text_around_a_source_key_always_holds_it(named: tuple[str, str], around: str) -> None:
    """By itself, among other words, encoded by each kind of writer or by none."""
    (uri, key), rules = named, compiled(RULES)
    text = around.replace("{}", uri)
    judged = judge(HeldUri(("uri",), None, text, PLACE), rules)
    assert holds(judged, Location("line-1", key)), text
    assert isinstance(judged, Legacy) or (isinstance(judged, Stuck) and judged.reason)


@given(named=named, cut=st.integers(1, 12), escaped=st.booleans())
def test_a_broken_text_around_a_source_key_always_holds_it(named: tuple[str, str], cut: int, *, escaped: bool) -> None:
    """JSON of which the end is missing, in an item or as a line of a manifest, with or without escapes."""
    (uri, key), rules = named, compiled(RULES)
    text = json.dumps({"model": uri, "more": ["x" * 12]}, ensure_ascii=escaped)[:-cut]
    inside = AttributePath("config:model", read_path("config"), read_path("model"))
    for judged in (
        judge(HeldUri(("config",), None, text, inside), rules),
        judge_line(text.encode("utf-8", "surrogatepass"), [PLACE], "broken", rules.source_bucket),
    ):
        assert holds(judged, Location("line-1", key)), text


@given(named=named, migrated=st.booleans())
def test_a_named_object_is_switched_to_its_bytes_or_stays_held(named: tuple[str, str], *, migrated: bool) -> None:
    """No text is lost between the two: what was rewritten leads to the copy, everything else is held and told."""
    uri, key = named
    assume(not any(0xD800 <= ord(one) <= 0xDFFF for one in uri))
    world, source = ReferringWorld(rules=RULES), Location("line-1", key)
    world.store.create_bucket("line-2")
    world.put(key)
    if migrated:
        assert world.migrate(key).state is State.COPIED
    world.put_job(uri={"S": uri})
    reports = rewrite(world)
    if ReferenceOutcome.REWRITTEN in {one.outcome for one in reports}:
        after = judge(HeldUri(("uri",), None, world.job()["uri"]["S"], PLACE), world.rules)
        assert after is None
        assert world.job()["uri"]["S"] != uri
        list(world.references.undo_references())
        assert world.job()["uri"]["S"] == uri
    else:
        assert {one.outcome for one in reports} <= {ReferenceOutcome.HOLDS, ReferenceOutcome.WAITING}
        assert any(covers(one.source, source) for one in world.references.find_references())
        assert all(one.why for one in reports)
