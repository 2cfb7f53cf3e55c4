"""Properties 9 and 10 of the edge-CV portal, over the real code with its own rules (workload.md)."""

from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import KeyshiftError, UnavailableError
from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.protocol.record import State
from domain.references.reports import ReferenceOutcome
from tests.fakes.faults import Moment, ScriptedFaults
from tests.servers import standin_server
from tests.worlds.referring import Referring, ReferringWorld, compiled
from tests.worlds.referring_server import ON_SERVERS, ReferringServer, ServerReferringWorld, in_bucket

PORTAL = Path("migrations/edge-cv-portal.yaml").read_text(encoding="utf-8").replace("manufacturing-line-1", "line-1")
JOBS = [f"cookie-{number}" for number in range(3)]
ROOTS = ("", "datasets//", "datasets/line-2/", "a/b//")
KEYS = [f"{root}training-output/{job}/output/model.tar.gz" for job, root in zip(JOBS, ROOTS, strict=False)]
KEYS += [f"datasets//compilation-output/{job}/model-jetson_xavier.tar.gz" for job in JOBS]
KEYS += [f"model_artifacts/model-{n:012x}/{n:012x}_greengrass_model_component.zip" for n in (10, 11)]
KEYS += ["datasets//line.manifest"]
FORMS = ("s3://line-1/{}", "https://line-1.s3.eu-west-1.amazonaws.com/{}", "https://s3.amazonaws.com/line-1/{}")

uris = st.builds(lambda form, key: form.format(key), st.sampled_from(FORMS), st.sampled_from(KEYS))
other_uris = st.sampled_from(["s3://other/x", "s3://line-1/stray", "", "not yet", "s3://line-1/models/training/j/x"])
held = uris | other_uris
plain = st.one_of(
    st.text(max_size=5).map(lambda text: {"S": text}),
    st.integers(-9, 9).map(lambda number: {"N": str(number)}),
    st.binary(max_size=4).map(lambda data: {"B": data}),
    st.just({"NULL": True}),
)


def element(attribute: str) -> st.SearchStrategy[dict[str, Any]]:
    """One compilation job or packaged component."""
    return st.builds(
        lambda uri, target, extra: {"M": {attribute: {"S": uri}, "target": {"S": target}, "extra": extra}},
        held,
        st.sampled_from(["jetson-xavier", "x86_64-cpu"]),
        plain,
    )


items = st.builds(
    lambda artifact, manifest, compiled, packaged, more: {
        "artifact_s3": {"S": artifact},
        "dataset_manifest_s3": {"S": manifest},
        "compilation_jobs": {"L": compiled},
        "packaged_components": {"L": packaged},
        **{f"x_{name}": value for name, value in more.items()},
    },
    held,
    held,
    st.lists(element("compiled_model_s3"), max_size=3),
    st.lists(element("component_package_s3"), max_size=2),
    st.dictionaries(st.sampled_from(["usecase_id", "status", "artifact_s3"]), plain),
)
jobs = st.lists(items, min_size=1, max_size=3)
_World = TypeVar("_World", bound=Referring)
DECLARED = ("artifact_s3", "dataset_manifest_s3", "compilation_jobs", "packaged_components")


def new_world(records: list[dict[str, Any]]) -> ReferringWorld:
    """Every object at its legacy key, and these training jobs."""
    return filled(ReferringWorld(rules=PORTAL), records)


def filled(world: _World, records: list[dict[str, Any]]) -> _World:
    """Every object at its legacy key, and these training jobs."""
    for key in KEYS:
        world.put(key, key.encode())
    for number, item in enumerate(records):
        world.write_item("training-jobs", {"training_id": {"S": str(number)}, **item})
    return world


def texts(value: Any) -> list[str]:
    """Every text in an item."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def skeleton(item: dict[str, Any]) -> dict[str, Any]:
    """An item without the texts at the declared places."""
    rest = {name: value for name, value in item.items() if name not in DECLARED}
    for name in ("compilation_jobs", "packaged_components"):
        elements = item[name]["L"]
        rest[name] = [{key: one["M"][key] for key in one["M"] if not key.endswith("_s3")} for one in elements]
    return rest


def assert_no_dangling(world: Referring, records: list[dict[str, Any]]) -> None:
    """Each place holds its old text, or names a place at which exactly that object's bytes are."""
    for before, now in zip(records, world.stored("training-jobs"), strict=True):
        for old, new in zip(texts([before[n] for n in DECLARED]), texts([now[n] for n in DECLARED]), strict=True):
            if old == new:
                continue
            answer = next(key for key in KEYS if old.endswith(key))
            target = world.rules.map_key(answer).target
            assert target is not None
            assert new.endswith(target.key)
            assert world.body(target) == answer.encode()


@settings(max_examples=150)
@given(records=jobs, migrated=st.sets(st.sampled_from(KEYS)))
def test_property_09_no_record_names_a_migrated_legacy_location(
    records: list[dict[str, Any]], migrated: set[str]
) -> None:
    """After the rewriting no record names a migrated legacy location; all else is untouched; undo restores it all."""
    check_rewriting(new_world(records), records, migrated)


def check_rewriting(world: Referring, records: list[dict[str, Any]], migrated: set[str]) -> None:
    """Property 9 in this world."""
    for key in migrated:
        assert world.migrate(key).state is State.COPIED
    world.rewrite_tables(segments=2)
    for before, now in zip(records, world.stored("training-jobs"), strict=True):
        places = texts([now[name] for name in DECLARED])
        legacy = {in_bucket(form.format(key), world.bucket) for key in migrated for form in FORMS}
        assert not legacy.intersection(places)
        assert skeleton({"training_id": now["training_id"], **before}) == skeleton(now)
    assert_no_dangling(world, records)
    undone = list(world.references.undo_references())
    assert {one.outcome for one in undone} <= {ReferenceOutcome.RESTORED}
    assert [{k: v for k, v in one.items() if k != "training_id"} for one in world.stored("training-jobs")] == records


FAULTS: tuple[tuple[str, str], ...] = (
    ("tables", "scan_items"),
    ("tables", "read_item"),
    ("tables", "change_item"),
    ("manifest", "read_records"),
    ("store", "look_at_object"),
)
faults = st.lists(
    st.tuples(st.sampled_from(FAULTS), st.integers(0, 6), st.sampled_from(["before", "after"])),
    max_size=4,
)


@settings(max_examples=150)
@given(records=jobs, migrated=st.sets(st.sampled_from(KEYS), min_size=1), planned=faults)
def test_no_reference_is_rewritten_to_a_key_without_its_bytes(
    records: list[dict[str, Any]], migrated: set[str], planned: list[tuple[tuple[str, str], int, Moment]]
) -> None:
    """Whatever port call fails, before or after its effect: at no moment does an item name a place without bytes."""
    world = new_world(records)
    for key in migrated:
        world.migrate(key)
    for (port, call), nth, when in planned:
        fake: ScriptedFaults = getattr(world, port)
        fake.fail_nth(nth, UnavailableError("no answer"), when=when, call=call)
    world.tables.between = lambda _: assert_no_dangling(world, records)
    for _ in range(2):
        try:
            world.rewrite_tables()
        except KeyshiftError:
            assert_no_dangling(world, records)
    for fake in (world.tables, world.manifest, world.store):
        fake.forget_faults()
    world.rewrite_tables()
    assert_no_dangling(world, records)
    assert not [one for one in world.references.find_references() if one.source.key in migrated]
    list(world.references.undo_references())
    assert [{k: v for k, v in one.items() if k != "training_id"} for one in world.stored("training-jobs")] == records


CUT_OVER = ("cut-over", KEYS[0])
steps = st.builds(
    lambda first, more: [*first, *more],
    st.sampled_from([[], [CUT_OVER]]),
    st.lists(
        st.tuples(
            st.sampled_from(["migrate", "migrate", "rewrite", "clean", "clean", "cut-over", "undo", "roll-back"]),
            st.sampled_from(KEYS),
        ),
        max_size=14,
    ),
)


@settings(max_examples=150)
@given(records=jobs, taken=steps, planned=faults)
def test_property_10_every_legacy_reference_resolves_to_readable_bytes_at_every_step(
    records: list[dict[str, Any]], taken: list[tuple[str, str]], planned: list[tuple[tuple[str, str], int, Moment]]
) -> None:
    """Migration, rewriting, cut-over, cleanup, undo and rollback, in any order and with faults: all stays readable."""
    check_steps(new_world(records), records, taken, planned)


def check_steps(
    world: Referring,
    records: list[dict[str, Any]],
    taken: list[tuple[str, str]],
    planned: list[tuple[tuple[str, str], int, Moment]],
) -> None:
    """Property 10 in this world."""
    for (port, call), nth, when in planned:
        world.faults[port].fail_nth(nth, UnavailableError("no answer"), when=when, call=call)
    held = set(texts(records))
    named = [key for key in KEYS if any(text.endswith(f"/{key}") for text in held)] or KEYS
    for step, key in taken:
        try:
            take_step(world, step, named[KEYS.index(key) % len(named)])  # of the others nothing would be asked
        except KeyshiftError:
            world.clock.advance(1_000)
        assert_readable(world, records)


def take_step(world: Referring, step: str, key: str) -> None:
    """As far as an operator may at this moment."""
    record = world.find_record(key)
    if step == "migrate" and (record is None or record.state is not State.ROLLED_BACK):
        world.migrate(key)
    elif step == "rewrite":
        world.rewrite_tables()
    elif step == "cut-over":
        world.cut_over()
    elif step == "clean" and record and world.stages.read_stage().stage is Stage.CUT_OVER:
        world.clean(key)
    elif step == "roll-back" and record:
        world.roll_back(key)
    elif step == "undo":
        list(world.references.undo_references())


def assert_readable(world: Referring, records: list[dict[str, Any]]) -> None:
    """Every URI that a record ever held or holds now leads to the bytes of its object."""
    kept = {name: list(one._faults) for name, one in world.faults.items()}
    for one in world.faults.values():
        one.forget_faults()
    wanted: dict[str, str] = {}
    for before, now in zip(records, world.stored("training-jobs"), strict=True):
        for old, new in zip(texts([before[n] for n in DECLARED]), texts([now[n] for n in DECLARED]), strict=True):
            key = next((key for key in KEYS if old.endswith("/" + key)), None)
            if key is not None:
                wanted |= {old: key, new: key}
    found: dict[str, bytes | None] = {}
    for answer in world.resolver.resolve_all(list(wanted)):
        assert answer.location is not None, answer
        place = answer.location.partition(world.bucket)[2].partition("/")[2]
        if place not in found:
            found[place] = world.body(Location(world.bucket, place))
        assert found[place] == wanted[answer.uri].encode(), answer
    for name, one in world.faults.items():
        one._faults.extend(kept[name])


@pytest.fixture(scope="module")
def server(standin_process: Any) -> ReferringServer:
    """The stand-in with clients that every example uses."""
    return ReferringServer.of(standin_server(standin_process))


def served(server: ReferringServer, records: list[dict[str, Any]]) -> ServerReferringWorld:
    """A bucket and tables of this example's own, on the stand-in; ``records`` name that bucket then."""
    world = ServerReferringWorld(server, compiled(PORTAL))
    records[:] = in_bucket(records, world.bucket)
    return filled(world, records)


@pytest.mark.slow("each example runs on emulators")
@ON_SERVERS
@given(records=jobs, migrated=st.sets(st.sampled_from(KEYS)))
def test_property_09_no_record_names_a_migrated_legacy_location_on_the_emulators(
    server: ReferringServer, records: list[dict[str, Any]], migrated: set[str]
) -> None:
    """The same with S3 and DynamoDB of the stand-in: adapters, conditions and transactions are the real ones."""
    check_rewriting(served(server, records), records, migrated)


@pytest.mark.slow("each example runs on emulators")
@ON_SERVERS
@given(records=jobs, taken=steps, planned=faults)
def test_property_10_every_legacy_reference_resolves_to_readable_bytes_at_every_step_on_the_emulators(
    server: ReferringServer,
    records: list[dict[str, Any]],
    taken: list[tuple[str, str]],
    planned: list[tuple[tuple[str, str], int, Moment]],
) -> None:
    """The same on the stand-in; faults strike before the request is sent, or after it took effect."""
    check_steps(served(server, records), records, taken, planned)
