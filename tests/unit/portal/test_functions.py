"""The portal's functions over fakes: who may, what is refused, what is done once, which archives are taken."""

import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from domain.errors import AccessDeniedError, UnavailableError
from domain.keys import Location
from domain.portal.components import ComponentVersion, component_name
from domain.portal.layout import Layout, LayoutError
from domain.portal.records import JobEnd
from domain.portal.targets import Target
from handlers.cli.app import COMMANDS
from handlers.demo.models import TRAINED, tar_gz
from handlers.portal.archive_writing import ZipStream
from handlers.portal.archives import ArchiveError, ArchiveLimits, copy_member, read_members
from handlers.portal.models import read_trained_model, repackage_for_neo
from tests.fakes.portal import InMemoryObjectStreams
from tests.worlds.portal import COMPILED_MODEL, ROOT, TRAINED_MODEL, PortalMemoryWorld, key_of


@pytest.fixture
def world() -> PortalMemoryWorld:
    """A use case in memory."""
    return PortalMemoryWorld()


@pytest.mark.parametrize(
    ("role", "assigned", "status"),
    [
        (None, True, 401),
        ("Viewer", True, 403),
        ("Operator", True, 403),
        ("nonsense", True, 403),
        ("DataScientist", False, 403),
        ("DataScientist", True, 201),
        ("UseCaseAdmin", True, 201),
        ("PortalAdmin", False, 201),
    ],
)
def test_roles_decide_who_may_train(world: PortalMemoryWorld, role: str | None, assigned: bool, status: int) -> None:
    """Builders of the use case, and PortalAdmins everywhere."""
    world.put("datasets/manifests/a.manifest", b"{}")
    if assigned:
        world.use_cases.assigned.add(("ada", "line-1"))
    body = {"usecase_id": "line-1", "model_name": "m", "model_version": "1", "model_type": "segmentation"}
    body["dataset_manifest_s3"] = f"s3://{world.bucket}/datasets/manifests/a.manifest"
    assert world.call("POST", "/training", body, role=role).status == status
    assert bool(world.workplaces.jobs.requests) == (status == 201)


def test_a_bad_request_names_the_field(world: PortalMemoryWorld) -> None:
    """Type, range, unknown attributes and broken JSON are 400, and nothing is started."""
    for more, field in (
        ({"model_type": "guess"}, "model_type"),
        ({"max_runtime_seconds": 1}, "max_runtime_seconds"),
        ({"colour": "red"}, "colour"),
        ({"dataset_manifest_s3": f"s3://{world.bucket}/datasets/manifests/none.manifest"}, "dataset_manifest_s3"),
    ):
        answer = world.train(**more)
        assert (answer.status, answer.body["field"]) == (400, field)
    assert world.call("POST", "/training", "{broken").status == 400
    assert world.train(usecase_id="nobody").status == 404
    assert world.workplaces.jobs.requests == {}


def test_an_answer_can_say_whatever_a_record_holds(world: PortalMemoryWorld) -> None:
    """DynamoDB's binaries as base64 and its sets as sorted lists: an old record may hold either."""
    training_id = world.train().body["training_id"]
    world.trainings.items[training_id] |= {"mark": b"\x00\xff", "labels": {"b", "a"}}
    answer = world.call("GET", f"/training/{training_id}")
    assert (answer.status, answer.body["mark"], answer.body["labels"]) == (200, "AP8=", ["a", "b"])


def test_a_repeated_request_starts_one_job(world: PortalMemoryWorld) -> None:
    """The same key: one job and one record; with another body it is a conflict."""
    first, second = world.train(key="k"), world.train(key="k")
    assert (first.status, second.status) == (201, 200)
    assert first.body == second.body
    assert len(world.workplaces.jobs.requests) == len(world.trainings.items) == 1
    assert world.train(key="k", model_version="2").status == 409
    assert world.train(key="other").status == 201


@pytest.mark.parametrize("call", ["create_training_job", "change_training", "create_training"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_starts_no_second_job(world: PortalMemoryWorld, call: str, when: str) -> None:
    """Wherever the first try stops, 503 is said and the repeat ends it with the same one job."""
    port = world.workplaces.jobs if call == "create_training_job" else world.trainings
    port.fail_next(UnavailableError("no answer"), when="after" if when == "after" else "before", call=call)
    assert world.train(key="k").status == 503
    assert world.train(key="k").status == (201 if (call, when) == ("create_training", "before") else 200)
    assert len(world.workplaces.jobs.requests) == 1
    (item,) = world.trainings.items.values()
    assert item["status"] == "InProgress"


def test_what_sagemaker_refuses_is_a_502_and_noted(world: PortalMemoryWorld) -> None:
    """The record says Failed and why."""
    world.workplaces.jobs.fail_next(AccessDeniedError("CreateTrainingJob: denied"), call="create_training_job")
    assert world.train(key="k").status == 502
    (item,) = world.trainings.items.values()
    assert (item["status"], item["failure_reason"]) == ("Failed", "CreateTrainingJob: denied")


def test_late_and_repeated_events_change_nothing_back(world: PortalMemoryWorld) -> None:
    """A final state stays, and a legacy artifact whose bytes have moved is noted at its new URI."""
    answer = world.train(auto_compile=True, compilation_targets=["arm64-cpu"])
    training_id, job = answer.body["training_id"], answer.body["training_job_name"]
    key = f"datasets//training-output/{job}/output/model.tar.gz"
    world.put(key, TRAINED_MODEL)
    world.move(key)
    world.clean(key)
    assert world.tell_training(job, f"s3://{world.bucket}/{key}")["outcome"] == "noted"
    item = world.item(training_id)
    assert item["artifact_s3"] == f"s3://{world.bucket}/models/training/{job}/output/model.tar.gz"
    assert [entry["target"] for entry in item["compilation_jobs"]] == ["arm64-cpu"]
    assert world.tell_training(job, f"s3://{world.bucket}/{key}")["outcome"] == "known"
    assert world.item(training_id) == item
    assert world.tell_training("nobody-knows", None)["outcome"] == "unknown"


def test_an_event_without_an_artifact_is_completed_by_describe(world: PortalMemoryWorld) -> None:
    """The URI comes from SageMaker, never from us."""
    answer = world.train()
    job = answer.body["training_job_name"]
    uri = f"s3://{world.bucket}/datasets//training-output/{job}/output/model.tar.gz"
    world.end_of(job, JobEnd(job, "Completed", uri))
    world.tell_training(job, None)
    assert world.item(answer.body["training_id"])["artifact_s3"] == uri


def test_steps_out_of_order_are_conflicts(world: PortalMemoryWorld) -> None:
    """Compile before train has ended, package before compile, publish before package, compile twice at once."""
    training_id = world.train().body["training_id"]
    for step, body in (("compile", {}), ("package", {}), ("publish", {"component_name": "model-a"})):
        assert world.call("POST", f"/training/{training_id}/{step}", body).status == 409
    world.finish_training(training_id)
    assert world.call("POST", f"/training/{training_id}/compile", {"targets": ["arm64-cpu"]}).status == 201
    assert world.call("POST", f"/training/{training_id}/compile", {"targets": ["arm64-cpu"]}).status == 409


def _archive(make: Callable[[tarfile.TarFile], None]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        make(archive)
    return out.getvalue()


def _member(name: str, *, kind: bytes = tarfile.REGTYPE, body: bytes = b"x", times: int = 1) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    info.size = len(body) if kind == tarfile.REGTYPE else 0

    def add(archive: tarfile.TarFile) -> None:
        for _ in range(times):
            archive.addfile(info, io.BytesIO(body))

    return _archive(add)


def _long_name(size: int) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, size
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


LIMITS = ArchiveLimits(members=50, member_bytes=2_000_000, total_bytes=3_000_000, ratio=50, ratio_free=100_000)
HOSTILE = {
    "traversal": _member("../evil"),
    "hidden traversal": _member("a/../../evil"),
    "absolute": _member("/etc/passwd"),
    "drive": _member("C:evil"),
    "backslash": _member("..\\evil"),
    "symlink": _member("link", kind=tarfile.SYMTYPE),
    "hard link": _member("link", kind=tarfile.LNKTYPE),
    "device": _member("dev", kind=tarfile.CHRTYPE),
    "fifo": _member("fifo", kind=tarfile.FIFOTYPE),
    "twice": _member("a", times=2),
    "twice in other words": tar_gz({"a": b"1", "./a": b"2"}),
    "file and folder": tar_gz({"a": b"1", "a/b": b"2"}),
    "too many": tar_gz({str(number): b"" for number in range(51)}),
    "too large": tar_gz({"a": bytes(2_000_001)}),
    "bomb": tar_gz({"a": bytes(1_900_000)}),
    "no archive": b"hello",
    "cut short": tar_gz({"a": b"1" * 5_000})[:-20],
    "no end": gzip.compress(gzip.decompress(tar_gz({"a": b"1"}))[:1024]),
    "damaged header": gzip.compress(gzip.decompress(tar_gz({"a": b"1", "b": b"2"}))[:1024] + b"?" * 512 + bytes(2048)),
    "wrong checksum": tar_gz({"a": b"1"})[:-8] + bytes(8),
    "huge header": gzip.compress(_long_name(5_000_000)),
}


def _read_all(archive: bytes) -> None:
    for _, body in read_members(io.BytesIO(archive), LIMITS):
        copy_member(body, len)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused(name: str) -> None:
    """With words, before anything of them is used."""
    with pytest.raises(ArchiveError):
        _read_all(HOSTILE[name])


@pytest.mark.parametrize("name", ["config.yaml", "export_artifacts/manifest.json"])
def test_a_description_nested_without_end_is_the_archives_mistake(name: str) -> None:
    """It is told with the member's name, like any other mistake in it."""
    with pytest.raises(ArchiveError, match=re.escape(name)):
        read_trained_model(io.BytesIO(tar_gz({**TRAINED, name: b"[" * 100_000})), ArchiveLimits())


def test_a_shape_nested_without_end_is_the_archives_mistake() -> None:
    """Read when the model is packed anew for the compilation."""
    model, target = io.BytesIO(tar_gz({**TRAINED, "mochi.json": b"[" * 100_000})), Location("line-1", "packed")
    with pytest.raises(ArchiveError, match=r"mochi\.json"):
        repackage_for_neo(model, InMemoryObjectStreams(PortalMemoryWorld().store), target, ArchiveLimits())


def test_an_archive_becomes_a_zip_with_the_same_bytes() -> None:
    """Every file, with its bit for execution; the same archive makes the same zip."""
    zips = []
    for _ in range(2):
        out = io.BytesIO()

        class Sink:
            def write(self, body: bytes, into: io.BytesIO = out) -> int:
                return into.write(body)

            def finish(self) -> None:
                """Nothing."""

        stream = ZipStream(Sink())  # type: ignore[arg-type]  # only written to
        for member, body in read_members(io.BytesIO(COMPILED_MODEL), ArchiveLimits()):
            stream.add_member(f"m/{member.name}", member, body)
        stream.close()
        zips.append(out.getvalue())
    assert zips[0] == zips[1]
    with zipfile.ZipFile(io.BytesIO(zips[0])) as archive:
        assert archive.testzip() is None
        assert archive.read("m/compiled.so") == b"code" * 50


def test_a_bad_model_fails_its_target_and_not_the_others(world: PortalMemoryWorld) -> None:
    """207 with the reason; nothing is left at the failed one's key."""
    training_id = world.train().body["training_id"]
    world.finish_training(training_id)
    world.call("POST", f"/training/{training_id}/compile", {"targets": ["arm64-cpu", "x86_64-cpu"]})
    uris = world.finish_compilation(training_id)
    world.put(key_of(uris[0]), HOSTILE["traversal"])
    answer = world.call("POST", f"/training/{training_id}/package", {})
    assert answer.status == 207
    assert [entry["status"] for entry in answer.body["packaged_components"]] == ["failed", "packaged"]
    assert "leads out" in answer.body["packaged_components"][0]["error"]


def test_names_and_versions_of_components() -> None:
    """Greengrass's limits, and the portal's own prefix."""
    assert component_name("model-a", Target.X86_64_CPU) == "model-a-x86-64-cpu"
    for name in ("cookie", "model-", "model-é", "model-" + "a" * 120):
        with pytest.raises(LayoutError):
            component_name(name, Target.X86_64_CPU)
    assert ComponentVersion.parse("1.2.3") == ComponentVersion(1, 2, 3)
    assert [ComponentVersion.parse(text) for text in ("1.0", "01.0.0", "1.0.0-a", "1000000.0.0")] == [None] * 4


def test_a_layout_refuses_a_prefix_that_is_not_clean() -> None:
    """Its keys would have the fault of the old ones."""
    for prefix in ("a", "/", "a//", "../", "a/./"):
        with pytest.raises(LayoutError):
            Layout("line-1", prefix)


def test_the_portals_documents_name_real_commands() -> None:
    """Each command that the runbook and the troubleshooting guide show is one of keyshift's."""
    named: set[str] = set()
    for page in sorted((ROOT / "docs" / "portal").glob("*.md")):
        named |= set(re.findall(r"`keyshift ([a-z-]+)", page.read_text(encoding="utf-8")))
    assert named >= {"plan", "verify", "pins", "resolve"}
    assert named <= set(COMMANDS)
