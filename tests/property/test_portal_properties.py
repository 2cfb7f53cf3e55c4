"""The portal's properties (the founding plan's thirteen; 9 and 10 are with the references and the resolver)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.keys import Location, key_fault
from domain.lifecycle.verification import Difference
from domain.portal.components import component_name
from domain.portal.jobs import compilation_job_name, deployment_name, training_job_name
from domain.portal.layout import DatasetKind, DeploymentArtifact, Layout, LayoutError, job_fault
from domain.portal.targets import Target
from handlers.operations.verify import Verifier
from tests.fakes.lifecycle import InMemoryKeyBook
from tests.servers import Server, standin_server
from tests.worlds.portal import PortalMemoryWorld, PortalServerWorld, greengrass, key_of, paths_in, play_workflow
from tests.worlds.referring_server import ON_SERVERS

__all__ = ["greengrass"]

JOBS = st.from_regex(r"\A[A-Za-z0-9](-{0,3}[A-Za-z0-9]){0,14}\Z")
SEGMENTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=12
).filter(lambda text: text not in (".", ".."))
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
PREFIXES = st.one_of(st.just(""), PATHS.map(lambda path: f"{path}/"))
LAYOUTS = PREFIXES.map(lambda prefix: Layout("line-1", prefix))
TARGETS = st.sampled_from(list(Target))
DEPLOYMENTS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,30}\Z")
NAMES = st.text(min_size=1, max_size=200)
ROOTS = ("datasets/", "models/", "deployments/")
SHARED = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def built_keys(draw: st.DrawFn) -> tuple[Layout, Location]:
    """Some key of a layout."""
    layout = draw(LAYOUTS)
    build = draw(st.sampled_from(["dataset", "training", "compilation", "deployment"]))
    if build == "dataset":
        return layout, layout.dataset(draw(st.sampled_from(list(DatasetKind))), draw(PATHS))
    if build == "training":
        return layout, layout.training(draw(JOBS), draw(PATHS))
    if build == "compilation":
        return layout, layout.compilation(draw(JOBS), draw(TARGETS), draw(PATHS))
    return layout, layout.deployment(draw(DEPLOYMENTS), draw(st.sampled_from(list(DeploymentArtifact))))


@given(built_keys())
def test_property_01_built_keys_begin_with_one_of_three_folders(built: tuple[Layout, Location]) -> None:
    """After the root prefix comes datasets/, models/ or deployments/."""
    layout, location = built
    assert location.key.startswith(layout.prefix)
    assert location.key.removeprefix(layout.prefix).startswith(ROOTS)


@given(LAYOUTS, NAMES, st.text(max_size=20))
def test_property_02_training_output_is_under_models_training(layout: Layout, name: str, token: str) -> None:
    """SageMaker appends the job to S3OutputPath, and the artifact is where the layout says: the job stands once."""
    job = training_job_name(name, now=1_790_000_000, training_id=token)
    written = f"{layout.training_output_uri}{job}/output/model.tar.gz"
    assert written == layout.training(job).uri
    assert key_of(written) == f"{layout.prefix}models/training/{job}/output/model.tar.gz"


@given(LAYOUTS, NAMES, st.text(max_size=20))
def test_property_03_targets_never_share_a_folder(layout: Layout, name: str, token: str) -> None:
    """A compilation job writes under models/compilation/{job}/{target}/, each target under one of its own."""
    folders = set()
    for target in Target:
        job = compilation_job_name(name, target, now=1_790_000_000, training_id="t", token=token)
        assert job_fault(job) is None
        folder = layout.compilation_output_uri(job, target)
        assert key_of(folder) == f"{layout.prefix}models/compilation/{job}/{target.value}/"
        folders.add(folder)
        folders.add(layout.compilation_output_uri("one-job", target))
    assert len(folders) == 2 * len(Target)


@given(LAYOUTS, st.text(max_size=40), TARGETS, st.text(max_size=20))
def test_property_04_deployments_are_under_their_name(
    layout: Layout, training: str, target: Target, token: str
) -> None:
    """Every artifact of a deployment lies in the deployment's folder."""
    name = deployment_name(training, target, token)
    for artifact in DeploymentArtifact:
        assert layout.deployment(name, artifact).key == f"{layout.prefix}deployments/{name}/{artifact.value}"


@given(built_keys(), PREFIXES, st.text(max_size=40), st.text(max_size=1_200))
def test_property_05_every_built_key_is_valid(built: tuple[Layout, Location], prefix: str, job: str, path: str) -> None:
    """No empty segment, within 1,024 bytes, the same each time; what would not be so is refused with its reason."""
    layout, location = built
    assert layout.fault_of(location.key) is None
    hostile = Layout("line-1", prefix)
    makes: tuple[Callable[[], Location], ...] = (
        lambda: hostile.training(job, path),
        lambda: hostile.dataset(DatasetKind.RAW, path),
    )
    for make in makes:
        refused: LayoutError | None = None
        try:
            key = make().key
        except LayoutError as error:
            refused = error
        if refused is not None:
            assert refused.field in ("job", "path")
            assert refused.why
            continue
        assert key_fault(key) is None
        assert len(key.encode()) <= 1_024
        assert "" not in key.split("/")
        assert hostile.fault_of(key) is None
        assert make().key == key


@given(LAYOUTS, NAMES, TARGETS, st.text(max_size=20))
def test_property_06_job_specific_keys_carry_the_job(layout: Layout, name: str, target: Target, token: str) -> None:
    """However the model is called, its job's name is one that SageMaker takes, and it stands at its place."""
    trained = training_job_name(name, now=1_790_000_000, training_id=token)
    compiled = compilation_job_name(name, target, now=1_790_000_000, training_id="t", token=token)
    for job, location, at in (
        (trained, layout.training(trained), 2),
        (compiled, layout.compilation(compiled, target, "model.tar.gz"), 2),
    ):
        assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", job)
        assert location.key.removeprefix(layout.prefix).split("/")[at] == job
        assert layout.fault_of(location.key) is None
    assert trained != training_job_name(f"{name}.", now=1_790_000_000, training_id=token)
    assert component_name("model-a", target).startswith("model-a-")


LEGACY = st.sampled_from(
    [
        "datasets//training-output/cookie-1/output/model.tar.gz",
        "datasets/a/training-output/cookie-2/output/model.tar.gz",
        "training-output/cookie-3/output/model.tar.gz",
        "datasets//compilation-output/cookie-jetson-20251211042027/model-jetson_xavier.tar.gz",
        "datasets//compilation-output/old-4/output/model.tar.gz",
        "model_artifacts/model-0a1b2c3d4e5f/0a1b2c3d4e5f_greengrass_model_component.zip",
        "datasets/cookies/a.manifest",
    ]
)
KEYS = st.one_of(
    LEGACY, PATHS, st.sampled_from(["models/training/j/output/model.tar.gz", "deployments/d/component.zip"])
)
URIS = st.one_of(
    KEYS.map(lambda key: f"s3://manufacturing-line-1/{key}"),
    KEYS.map(lambda key: f"https://manufacturing-line-1.s3.us-east-1.amazonaws.com/{key}"),
    KEYS.map(lambda key: f"s3://another-bucket/{key}"),
    st.sampled_from(["s3://", "s3://manufacturing-line-1", "S3://manufacturing-line-1/x", "s3://B//", "not a URI"]),
    KEYS.map(lambda key: f"It failed at s3://manufacturing-line-1/{key} (404)"),
)
RECORDS = st.fixed_dictionaries(
    {
        "artifact_s3": URIS,
        "dataset_manifest_s3": URIS,
        "failure_reason": URIS,
        "metrics": st.dictionaries(st.text(max_size=5), URIS, max_size=2),
        "compilation_jobs": st.lists(
            st.fixed_dictionaries(
                {"target": st.just("x86_64-cpu"), "compiled_model_s3": URIS, "status": st.just("COMPLETED")}
            ),
            max_size=2,
        ),
        "packaged_components": st.lists(
            st.fixed_dictionaries({"target": st.just("x86_64-cpu"), "component_package_s3": URIS}), max_size=2
        ),
    }
)


@SHARED
@given(RECORDS)
def test_property_07_answers_hold_new_layout_uris_only(record: dict[str, Any]) -> None:
    """Both reads, whatever the record holds; what has no new form is named as unresolved, with its reason."""
    world = PortalMemoryWorld()
    world.trainings.items["t"] = {"training_id": "t", "usecase_id": "line-1", "model_name": "m", **record}
    layout = world.portal.layout_of(world.use_case)
    for path in ("/training/t", "/training/t/compile"):
        answer = world.call("GET", path, role="Viewer")
        world.use_cases.assigned.add(("ada", "line-1"))
        answer = world.call("GET", path, role="Viewer")
        assert answer.status == 200
        for uri in paths_in(answer.body):
            assert uri.startswith(f"s3://{layout.bucket}/")
            assert layout.fault_of(key_of(uri)) is None
    mapped = world.rules.map_key(key_of(record["artifact_s3"])) if record["artifact_s3"].count("/") > 2 else None
    if mapped and mapped.target and record["artifact_s3"].startswith(f"s3://{layout.bucket}/"):
        assert world.call("GET", "/training/t").body["artifact_s3"] == mapped.target.uri


@pytest.fixture(scope="module")
def shared_world(standin_process: Any, moto_endpoint: Server, greengrass: str) -> PortalServerWorld:
    """One world on the emulators for all examples; each uses jobs of its own."""
    return PortalServerWorld(standin_server(standin_process), moto_endpoint, greengrass)


NUMBERS = iter(range(1_000_000))
ROOTED = st.sampled_from(["datasets//", "datasets/line/", "", "some/longer//"])
FILES = st.sampled_from(["output/model.tar.gz", "output/a b+c%20.bin", "logs/é.txt"])


@pytest.mark.slow("each example runs on emulators")
@SHARED
@given(
    ROOTED,
    FILES,
    st.binary(max_size=64),
    st.dictionaries(st.sampled_from(["line", "note"]), st.just("v 1"), max_size=2),
)
def test_property_08_a_migrated_object_is_the_same(
    shared_world: PortalServerWorld, root: str, file: str, body: bytes, metadata: dict[str, str]
) -> None:
    """Bytes, metadata and tags are at the new key, and the old object is there until cleanup and gone after it."""
    world, store = shared_world, shared_world.migration.store
    key = f"{root}training-output/job-{next(NUMBERS)}/{file}"
    world.put(key, body, metadata=metadata, tags={"cost": "vision"})
    before = store.look_at_object(Location(world.bucket, key), with_tags=True)
    target = world.move(key)
    after = store.look_at_object(target, with_tags=True)
    assert before is not None
    assert after is not None
    assert world.read(target.key) == body
    assert (before.metadata, before.tags, before.headers) == (after.metadata, after.tags, after.headers)
    assert world.read(key) == body
    world.clean(key)
    assert world.read(key) is None
    assert world.read(target.key) == body


@SHARED
@given(NAMES, st.lists(TARGETS, min_size=1, max_size=3, unique=True), st.booleans())
def test_property_11_new_calls_configure_new_paths(name: str, targets: list[Target], old_artifact: bool) -> None:
    """What SageMaker is asked for, and what is written, is in the new layout."""
    check_new_paths(PortalMemoryWorld(), name, targets, old_artifact=old_artifact)


@pytest.mark.slow("each example runs on emulators")
@ON_SERVERS
@given(NAMES, st.lists(TARGETS, min_size=1, max_size=2, unique=True), st.booleans())
def test_property_11_new_calls_configure_new_paths_on_the_emulators(
    shared_world: PortalServerWorld, name: str, targets: list[Target], old_artifact: bool
) -> None:
    """The same, and moto says what SageMaker was really told."""
    check_new_paths(shared_world, name, targets, old_artifact=old_artifact)
    shared_world.forget_trainings()


def check_new_paths(
    world: PortalMemoryWorld | PortalServerWorld, name: str, targets: list[Target], *, old_artifact: bool
) -> None:
    """Property 11 in this world."""
    layout = world.portal.layout_of(world.use_case)
    trained = world.train(model_name=f"m{name}")
    assert trained.status == 201, trained
    training_id, job = trained.body["training_id"], trained.body["training_job_name"]
    assert world.jobs_of(job)["OutputDataConfig"]["S3OutputPath"] == layout.training_output_uri
    legacy = f"s3://{world.bucket}/datasets//training-output/{job}/output/model.tar.gz"
    world.finish_training(training_id, artifact=legacy if old_artifact else None)
    compiled = world.call("POST", f"/training/{training_id}/compile", {"targets": [one.value for one in targets]})
    assert compiled.status == 201, compiled
    for entry in compiled.body["compilation_jobs"]:
        asked = world.jobs_of(entry["compilation_job_name"])
        place = layout.compilation_output_uri(entry["compilation_job_name"], Target(entry["target"]))
        assert asked["OutputConfig"]["S3OutputLocation"] == place
        assert layout.fault_of(key_of(asked["InputConfig"]["S3Uri"])) is None
    world.finish_compilation(training_id)
    packed = world.call("POST", f"/training/{training_id}/package", {})
    assert packed.status == 200, packed
    for entry in packed.body["packaged_components"]:
        key = key_of(entry["component_package_s3"])
        assert layout.fault_of(key) is None
        assert key.removeprefix(layout.prefix).startswith("deployments/")
        assert world.read(key) is not None


PLANTS = st.lists(
    st.sampled_from(["nothing", "missing", "overwritten", "orphan", "unmigrated", "changed", "stray"]),
    min_size=1,
    max_size=3,
)
EXPECTED = {
    "missing": {Difference.MISSING},
    "overwritten": {Difference.TARGET_CHANGED, Difference.SIZE, Difference.BYTES},  # it differs in these too
    "orphan": {Difference.ORPHAN, Difference.SOURCE_ABSENT},
    "unmigrated": {Difference.NOT_MIGRATED},
    "changed": {Difference.CHANGED_SINCE},
}


@pytest.mark.slow("each example runs on emulators")
@SHARED
@given(PLANTS)
def test_property_12_validation_finds_what_was_planted_and_nothing_else(
    shared_world: PortalServerWorld, plants: list[str]
) -> None:
    """Missing and changed copies, orphans, and what was never migrated; a good copy and a new object are no fault."""
    world, s3 = shared_world, shared_world.clients.s3
    number = next(NUMBERS)
    planted: dict[str, str] = {}
    book = InMemoryKeyBook()
    for place, plant in enumerate(plants):
        key = f"datasets//training-output/plant-{number}-{place}/output/model.tar.gz"
        new = f"models/training/plant-{number}-{place}/output/model.tar.gz"
        planted[key] = plant
        if plant == "stray":
            world.put(new, b"from the new layout")
            continue
        world.put(key, b"as it was")
        if plant == "unmigrated":
            continue
        book.add_pairs(iter([(Location(world.bucket, key), world.move(key))]))
        if plant == "missing":
            s3.delete_object(Bucket=world.bucket, Key=new)
        elif plant == "overwritten":
            world.put(new, b"somebody else's")
        elif plant == "orphan":
            s3.delete_object(Bucket=world.bucket, Key=key)
        elif plant == "changed":
            world.put(key, b"as it is now")
    verifier = Verifier(world.dependencies, book=book, reader=None, marks=False)
    for key, plant in planted.items():
        source = Location(world.bucket, key)
        record = world.migration.manifest.read_record(source.record_id)
        target = world.rules.map_key(key).target
        assert target is not None
        findings = (
            [verifier.verify_record(record)] if record else [verifier.verify_key(source), verifier.verify_key(target)]
        )
        found = {one for finding in findings if finding for one in finding.differences}
        if plant in EXPECTED:
            assert found, plant
            assert found <= EXPECTED[plant], plant
        else:
            assert found == set(), plant


STATES = st.sampled_from(["clean", "before", "moving", "moved", "cleaned"])


@SHARED
@given(STATES, st.lists(TARGETS, min_size=1, max_size=3, unique=True))
def test_property_13_the_workflow_runs_in_every_state(state: str, targets: list[Target]) -> None:
    """On a clean bucket, with old models not yet, just now or long since migrated, and cleaned up."""
    play_workflow(PortalMemoryWorld(), state, targets, "flow")


@pytest.mark.slow("each example runs on emulators")
@ON_SERVERS
@given(STATES, st.lists(TARGETS, min_size=1, max_size=3, unique=True))
def test_property_13_the_workflow_runs_in_every_state_on_the_emulators(
    shared_world: PortalServerWorld, state: str, targets: list[Target]
) -> None:
    """The same on S3 and DynamoDB (stand-in), SageMaker (moto) and the small Greengrass."""
    play_workflow(shared_world, state, targets, f"flow-{next(NUMBERS)}")
    shared_world.forget_trainings()
