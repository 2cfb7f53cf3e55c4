"""The demo's portal: its judge sees every way to be wrong, its past has every shape, played jobs end as real ones."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from domain.keys import Location
from domain.portal.records import JobKind
from domain.rules.compiled import MapOutcome
from handlers.cli.demo import packaged_rules
from handlers.config.rules_file import load_rules
from handlers.demo.cloud import PlayedComponents, PlayedJobs
from handlers.demo.jobs import JobRunner
from handlers.demo.portal.comparison import ITEM, REFERENCE, byte_faults, held_by, item_faults
from handlers.demo.portal.events import MOST_REFUSED, JobEvents
from handlers.demo.portal.records import OUTSIDE, past_of
from handlers.demo.portal.result import COUNTED, MUST_BE_ZERO, PortalResult
from tests.fakes.queue import InMemoryQueue
from tests.worlds.presence import present

RULES = load_rules(packaged_rules("edge-cv-portal.yaml"))
OLD, NEW = "s3://b/datasets//training-output/j/output/model.tar.gz", "s3://b/models/training/j/output/model.tar.gz"
ZIP, NEW_ZIP = "s3://b/model_artifacts/model-1/1_greengrass_model_component.zip", "s3://b/deployments/model-1/c.zip"
MOVED = {OLD: NEW, ZIP: NEW_ZIP}


def item(artifact: str, package: str, **more: Any) -> dict[str, Any]:
    """A training record in DynamoDB's JSON."""
    packed = {"component_package_s3": {"S": package}, "size": {"N": "1"}}
    return {"artifact_s3": {"S": artifact}, "packaged_components": {"L": [{"M": packed}]}, "notes": {"S": OLD}, **more}


BEFORE = {"one": item(OLD, ZIP), "two": {"status": {"S": "Failed"}}}
GOOD = {"one": item(NEW, NEW_ZIP), "two": {"status": {"S": "Failed"}}}


def test_what_was_rewritten_exactly_is_no_fault() -> None:
    """The declared places lead to the new keys, and a URI elsewhere in the item stays."""
    assert list(item_faults("training", BEFORE, GOOD, MOVED)) == []


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        ({**GOOD, "one": item(OLD, NEW_ZIP)}, [REFERENCE]),
        ({**GOOD, "one": item(f"{NEW}x", NEW_ZIP)}, [REFERENCE]),
        ({**GOOD, "one": item(NEW, ZIP)}, [REFERENCE]),
        ({**GOOD, "one": item(NEW, NEW_ZIP, notes={"S": NEW})}, [ITEM]),
        ({**GOOD, "one": item(NEW, NEW_ZIP, more={"S": "x"})}, [ITEM]),
        ({**GOOD, "two": {}}, [ITEM]),
        ({**GOOD, "two": {"status": {"B": b"Failed"}}}, [ITEM]),
        ({"one": GOOD["one"]}, [ITEM]),
        ({**GOOD, "three": {}}, [ITEM]),
    ],
)
def test_a_spoiled_item_is_a_fault(after: Mapping[str, Any], kinds: list[str]) -> None:
    """A reference that is old or leads elsewhere; any other attribute, or item, that is another, gone or new."""
    assert [fault.kind for fault in item_faults("training", BEFORE, after, MOVED)] == kinds


def test_a_reference_without_its_bytes_is_a_fault() -> None:
    """Each place of the item is looked at, and only what leads out of the bucket is not."""
    places = {NEW: Location("b", "one"), NEW_ZIP: Location("b", "two")}
    found = byte_faults("training", GOOD, location_of=places.get, is_good=lambda place: place.key == "one")
    assert ["packaged_components[0].component_package_s3" in fault.what for fault in found] == [True]
    none = {**GOOD, "one": item("s3://elsewhere/k", NEW_ZIP)}
    assert list(byte_faults("training", none, location_of=places.get, is_good=lambda _place: True)) == []


def done() -> PortalResult:
    """A result of a play in which everything was done."""
    result = PortalResult()
    for name in COUNTED:
        result.add(name)
    return result


@pytest.mark.parametrize("name", MUST_BE_ZERO)
def test_one_fault_makes_a_bad_result(name: str) -> None:
    """The exit code hangs on it, and the figure of its kind says so."""
    result = done()
    assert result.is_good
    result.fail(name, "spoiled")
    assert not result.is_good
    assert result.figures()[name] == 1


@pytest.mark.parametrize("name", COUNTED)
def test_what_was_not_done_is_not_good(name: str) -> None:
    """A play in which nobody trained, or no old URI was read, shows nothing."""
    result = done()
    result.counts[name] = 0
    assert not result.is_good


def test_the_past_has_every_shape_and_no_two_keys_meet() -> None:
    """Every place that holds URIs, in each form; every key moves but the one that nobody maps."""
    past = past_of("manufacturing-line-1", region="us-east-1")
    keys = [*past.objects, *past.manifests]
    outcomes = {key: RULES.map_key(key) for key in keys}
    assert [key for key in keys if outcomes[key].outcome is not MapOutcome.MOVE] == [OUTSIDE]
    targets = [outcomes[key].target for key in keys if key != OUTSIDE]
    assert len(set(targets)) == len(targets)
    plain = json.loads(json.dumps(past.trainings, default=str))
    text = json.dumps(plain)
    for shape in ("datasets//training-output/", "datasets/line-2/", "/plant/a/b//", "1/training-output/", "https://"):
        assert shape in text
    for name in ("artifact_s3", "dataset_manifest_s3", "compiled_model_s3", "component_package_s3"):
        assert f'"{name}": "s3://' in text
    assert list(held_by("model", {"dataset_manifest_id": {"S": OLD}})) == [("dataset_manifest_id", OLD)]


class Bench:
    """Jobs with a bucket in memory."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = dict(objects)
        self.events: list[dict[str, Any]] = []
        self.jobs = PlayedJobs()
        self.runner = JobRunner(self.jobs, read=self.objects.get, write=self._write, tell=self.events.append)

    def _write(self, place: Location, body: bytes) -> None:
        self.objects[place.uri] = body

    def run(self) -> None:
        """Until every job has ended."""
        self.runner.start()
        while self.jobs.running() and not self.runner.failures:
            time.sleep(0.02)
        self.runner.stop()
        assert self.runner.failures == []


def training(path: str) -> dict[str, Any]:
    """CreateTrainingJob's request."""
    channel = {"DataSource": {"S3DataSource": {"S3Uri": "s3://b/a.manifest"}}}
    return {"TrainingJobName": "j", "InputDataConfig": [channel], "OutputDataConfig": {"S3OutputPath": path}}


@pytest.mark.parametrize("path", ["s3://b/models/training/", "s3://b/models/training"])
def test_a_training_job_writes_below_its_path_and_tells(path: str) -> None:
    """SageMaker appends ``{job}/output/model.tar.gz``; first the event says InProgress, then Completed."""
    bench = Bench({"s3://b/a.manifest": b""})
    bench.jobs.create_job(JobKind.TRAINING, training(path))
    bench.run()
    assert NEW in bench.objects
    details = [event["detail"] for event in bench.events]
    assert [one["TrainingJobStatus"] for one in details] == ["InProgress", "Completed"]
    assert details[1]["ModelArtifacts"]["S3ModelArtifacts"] == NEW


def test_a_job_without_its_input_fails() -> None:
    """As SageMaker would: nothing is written, and the reason names the input."""
    bench = Bench({})
    bench.jobs.create_job(JobKind.TRAINING, training("s3://b/models/training/"))
    bench.run()
    assert bench.objects == {}
    assert "s3://b/a.manifest" in bench.events[-1]["detail"]["FailureReason"]


def test_a_compilation_job_writes_under_its_location_and_its_event_names_no_artifact() -> None:
    """Neo names the file after its input and the platform; describe knows it."""
    bench = Bench({"s3://b/in/model.tar.gz": b""})
    platform = {"Os": "LINUX", "Arch": "ARM64", "Accelerator": "NVIDIA"}
    output = {"S3OutputLocation": "s3://b/out/c/jetson-xavier/", "TargetPlatform": platform}
    source = {"S3Uri": "s3://b/in/model.tar.gz"}
    bench.jobs.create_job(
        JobKind.COMPILATION, {"CompilationJobName": "c", "InputConfig": source, "OutputConfig": output}
    )
    bench.run()
    uri = "s3://b/out/c/jetson-xavier/model-LINUX_ARM64_NVIDIA.tar.gz"
    assert uri in bench.objects
    assert bench.events[-1]["detail"] == {"CompilationJobName": "c", "CompilationJobStatus": "COMPLETED"}
    described = present(bench.jobs.describe_job(JobKind.COMPILATION, "c"))
    assert described[1].artifact == uri
    assert bench.jobs.describe_job(JobKind.TRAINING, "c") is None


def test_a_component_without_its_artifact_fails() -> None:
    """Greengrass reads it when it is published, and never again."""
    objects = {NEW_ZIP: b"zip"}
    components = PlayedComponents(read=objects.get)
    states = []
    for version, uri in (("1.0.0", NEW_ZIP), ("2.0.0", ZIP)):
        recipe = {"ComponentName": "m", "ComponentVersion": version, "Manifests": [{"Artifacts": [{"Uri": uri}]}]}
        arn = present(components.create_component_version(recipe, tags={}, client_token=version))
        states.append(components.read_state(arn))
    assert states == ["DEPLOYABLE", "FAILED"]


def test_an_event_that_the_portal_refuses_is_delivered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it cannot work at all, since nobody said where its tables are: at last that is a failure, not silence."""
    monkeypatch.delenv("KEYSHIFT_RULES_FILE", raising=False)
    queue, result = InMemoryQueue(), PortalResult()
    queue.send_messages([json.dumps({"detail-type": "x"})] * (MOST_REFUSED + 5))
    events = JobEvents(queue, result)
    events.start()
    while not events.failures:
        time.sleep(0.02)
    events.stop()
    assert events.refused == MOST_REFUSED + 1
    assert len(queue.bodies) == MOST_REFUSED + 5
    assert result.counts["job_events"] == 0
