"""Use cases that share an account do not reach each other's components, jobs and records."""

import json
from typing import Any

import pytest

from domain.errors import MalformedMessageError
from domain.keys import Location
from domain.portal.records import JobEnd, JobKind, UseCase
from handlers.demo.portal.caller import HttpAnswer
from handlers.portal import job_events
from tests.worlds.portal import ROLE, TRAINED_MODEL, PortalMemoryWorld, key_of
from tests.worlds.presence import present

OTHER = "line-2"
NAME = "model-cookie-x86-64-cpu"
TAG = "dda-portal:usecase-id"


@pytest.fixture
def world() -> PortalMemoryWorld:
    """Two use cases of one account; eve works on the second one only, ada on the first."""
    world = PortalMemoryWorld()
    world.use_cases.use_cases[OTHER] = UseCase(OTHER, "other-line", ROLE)
    world.store.create_bucket("other-line")
    world.use_cases.assigned |= {("eve", OTHER), ("ada", "line-1")}
    return world


def packaged(world: PortalMemoryWorld, use_case_id: str, training_id: str) -> None:
    """A record whose component zip is there."""
    bucket = world.use_cases.use_cases[use_case_id].bucket
    uri = f"s3://{bucket}/deployments/model-{training_id}/component.zip"
    world.owner.put(Location(bucket, key_of(uri)), b"zip", {}, {})
    package = {"target": "x86_64-cpu", "status": "packaged", "component_package_s3": uri}
    item = {"training_id": training_id, "usecase_id": use_case_id, "model_name": "cookie"}
    world.trainings.create_training({**item, "packaged_components": [package]})


def publish(world: PortalMemoryWorld, training_id: str, *, user: str, **more: Any) -> HttpAnswer:
    """Publish under the shared name."""
    body = {"component_name": "model-cookie", **more}
    return world.call("POST", f"/training/{training_id}/publish", body, role="DataScientist", user=user)


def _by_hand(world: PortalMemoryWorld, uri: str, version: str, **tags: str) -> str:
    """A version that was published without the portal."""
    components = world.workplaces.components
    recipe = {"ComponentName": NAME, "ComponentVersion": version, "Manifests": [{"Artifacts": [{"Uri": uri}]}]}
    return present(components.create_component_version(recipe, tags=tags, client_token=f"by hand {version}"))


@pytest.mark.parametrize("version", [None, "2.0.0", "0.0.1", "1.0.0"])
def test_a_component_of_another_use_case_gets_no_version(world: PortalMemoryWorld, version: str | None) -> None:
    """The newest version's tag says whose it is; its script would run as root on the devices of its owner."""
    packaged(world, "line-1", "ours")
    packaged(world, OTHER, "theirs")
    assert publish(world, "ours", user="ada").status == 200
    before = dict(world.workplaces.components.recipes)
    answer = publish(world, "theirs", user="eve", **({"component_version": version} if version else {}))
    assert (answer.status, answer.body["field"]) == (409, "component_name")
    assert "another use case" in answer.body["error"]
    assert "line-1" not in json.dumps(answer.body), "who the other one is stays unsaid"
    assert world.workplaces.components.recipes == before
    assert "published_components" not in world.item("theirs")
    assert world.trainings.models.keys() == {"ours-1.0.0"}


def test_a_use_case_goes_on_publishing_its_own_component(world: PortalMemoryWorld) -> None:
    """Another training of the same use case, and another user of it."""
    world.use_cases.assigned.add(("bob", "line-1"))
    packaged(world, "line-1", "first")
    packaged(world, "line-1", "second")
    assert publish(world, "first", user="ada").status == 200
    answer = publish(world, "second", user="bob")
    assert [one["component_version"] for one in answer.body["published_components"]] == ["2.0.0"]


def test_a_component_without_tags_belongs_to_the_use_case_that_holds_its_artifacts(world: PortalMemoryWorld) -> None:
    """Published before there were tags, or by hand: the bucket is the border between use cases."""
    _by_hand(world, f"s3://{world.bucket}/model_artifacts/model-0a1b2c3d4e5f/old.zip", "1.0.0")
    packaged(world, "line-1", "ours")
    packaged(world, OTHER, "theirs")
    refused = publish(world, "theirs", user="eve")
    assert (refused.status, refused.body["field"]) == (409, "component_name")
    assert TAG in refused.body["error"]
    answer = publish(world, "ours", user="ada")
    assert [one["component_version"] for one in answer.body["published_components"]] == ["2.0.0"]


@pytest.mark.parametrize("artifacts", [[], [{}], [{"Uri": "s3://line/x.zip"}, {"Uri": "docker:registry/image"}]])
def test_a_component_without_tags_and_without_our_artifacts_is_refused(
    world: PortalMemoryWorld, artifacts: list[Any]
) -> None:
    """Nothing shows whose it is; an administrator's tag decides it."""
    components = world.workplaces.components
    recipe = {"ComponentName": NAME, "ComponentVersion": "1.0.0", "Manifests": [{"Artifacts": artifacts}]}
    arn = present(components.create_component_version(recipe, tags={}, client_token="by hand"))
    packaged(world, "line-1", "ours")
    assert publish(world, "ours", user="ada").status == 409
    components.tags[arn] = {TAG: "line-1"}
    assert publish(world, "ours", user="ada").status == 200


def test_a_version_that_is_not_three_numbers_counts_too(world: PortalMemoryWorld) -> None:
    """Greengrass takes ``1.0.0-beta``, the portal does not count it; whose it is it tells all the same."""
    _by_hand(world, "s3://x/y.zip", "1.0.0-beta", **{TAG: OTHER})
    packaged(world, "line-1", "ours")
    assert publish(world, "ours", user="ada").status == 409


def test_a_name_that_two_use_cases_take_at_once_is_told(world: PortalMemoryWorld) -> None:
    """The other's version came between the look and the publication: the answer is no success."""
    packaged(world, "line-1", "ours")
    components = world.workplaces.components
    create = components.create_component_version

    def late(recipe: Any, **more: Any) -> str | None:
        components.create_component_version = create  # type: ignore[method-assign]  # once
        _by_hand(world, "s3://other-line/y.zip", "2.0.0", **{TAG: OTHER})
        return create(recipe, **more)

    components.create_component_version = late  # type: ignore[method-assign]  # once
    answer = publish(world, "ours", user="ada")
    assert (answer.status, answer.body["field"]) == (409, "component_name")


def test_a_component_of_another_use_case_is_not_published_again(world: PortalMemoryWorld) -> None:
    """A record that names it, as one of before this rule may, changes nothing in whose it is."""
    arn = _by_hand(world, f"s3://{world.bucket}/old//a.zip", "1.0.0", **{TAG: OTHER})
    entry = {"target": "x86_64-cpu", "component_name": NAME, "component_arn": arn}
    item = {"training_id": "ours", "usecase_id": "line-1", "model_name": "m", "published_components": [entry]}
    world.trainings.create_training(item)
    answer = world.call("POST", "/training/ours/republish", role="DataScientist", user="ada")
    assert (answer.status, answer.body["field"]) == (409, "component_name")


# Jobs
COMPILE = {"targets": ["arm64-cpu"]}


def train(world: PortalMemoryWorld, user: str, use_case_id: str, **more: Any) -> HttpAnswer:
    """A training under a key that both users choose, in the same second."""
    bucket = world.use_cases.use_cases[use_case_id].bucket
    manifest = Location(bucket, "datasets/manifests/a.manifest")
    world.owner.put(manifest, b"{}\n", {}, {})
    body = {"usecase_id": use_case_id, "model_name": "cookie", "model_version": "1", "model_type": "classification"}
    body |= {"dataset_manifest_s3": manifest.uri, **more}
    return world.call("POST", "/training", body, role="DataScientist", user=user, key="1")


def test_two_users_of_one_key_have_two_jobs(world: PortalMemoryWorld) -> None:
    """One account, one model's name, one second: the jobs' names differ by the training."""
    answers = [train(world, "ada", "line-1"), train(world, "eve", OTHER)]
    assert [one.status for one in answers] == [201, 201]
    assert len({one.body["training_job_name"] for one in answers}) == 2
    assert len(world.workplaces.jobs.requests) == 2
    compiled = set()
    for user, answer in zip(("ada", "eve"), answers, strict=True):
        training_id = answer.body["training_id"]
        item = world.item(training_id)
        uri = f"{item['s3_output_path']}{item['training_job_name']}/output/model.tar.gz"
        world.owner.put(Location(uri.split("/")[2], key_of(uri)), TRAINED_MODEL, {}, {})
        world.tell_training(item["training_job_name"], uri)
        path = f"/training/{training_id}/compile"
        done = world.call("POST", path, COMPILE, role="DataScientist", user=user, key="1")
        assert done.status == 201, done
        compiled |= {one["compilation_job_name"] for one in done.body["compilation_jobs"]}
    assert len(compiled) == 2


def test_a_job_of_this_name_that_is_not_ours_is_not_taken_for_ours(world: PortalMemoryWorld) -> None:
    """The tag tells whose it is: the record says that it failed, and another key starts another job."""
    jobs = world.workplaces.jobs
    create = jobs.create_job

    def taken(kind: JobKind, request: Any) -> str | None:
        jobs.create_job = create  # type: ignore[method-assign]  # once
        jobs.requests[request["TrainingJobName"]] = {"TrainingJobName": request["TrainingJobName"], "Tags": []}
        jobs.ends[request["TrainingJobName"]] = JobEnd(request["TrainingJobName"], "Completed", "s3://their/model")
        return create(kind, request)

    jobs.create_job = taken  # type: ignore[method-assign]  # once
    refused = world.train(key="k")
    assert refused.status == 409
    assert "idempotency key" in refused.body["error"]
    (item,) = world.trainings.items.values()
    assert (item["status"], "training_job_arn" in item, "artifact_s3" in item) == ("Failed", False, False)
    assert world.train(key="k").status == 409, "and again"
    world.clock.advance(1)
    assert world.train(key="other").status == 201


def test_a_compilation_of_this_name_that_is_not_ours_is_not_taken_for_ours(world: PortalMemoryWorld) -> None:
    """The same for Neo's jobs: the entry fails with the reason, and another key compiles."""
    jobs = world.workplaces.jobs
    training_id = world.train(key="k").body["training_id"]
    world.finish_training(training_id)
    create = jobs.create_job

    def taken(kind: JobKind, request: Any) -> str | None:
        jobs.create_job = create  # type: ignore[method-assign]  # once
        create(kind, {**request, "Tags": [{"Key": "TrainingId", "Value": "another"}]})
        return create(kind, request)

    jobs.create_job = taken  # type: ignore[method-assign]  # once
    path = f"/training/{training_id}/compile"
    assert world.call("POST", path, COMPILE, key="a").status == 409
    (entry,) = world.item(training_id)["compilation_jobs"]
    assert (entry["status"], "compilation_job_arn" in entry) == ("Failed", False)
    assert "another idempotency key" in entry["failure_reason"]
    assert world.call("POST", path, COMPILE, key="b").status == 201


# Events of jobs
def event_of(name: str, arn: str | None, **more: Any) -> dict[str, Any]:
    """A training job's end as EventBridge hands it on."""
    detail = {"TrainingJobName": name, "TrainingJobStatus": "Failed", "FailureReason": "theirs"}
    return {"detail-type": job_events.TRAINING, "detail": detail | ({"TrainingJobArn": arn} if arn else {}), **more}


ELSEWHERE = ("arn:aws:sagemaker:us-east-1:999999999999:training-job/", "arn:aws:sagemaker:eu-west-1:123456789012:x/")


@pytest.mark.parametrize("arn", ELSEWHERE)
@pytest.mark.parametrize("form", ["detail", "resources", "envelope"])
def test_an_event_of_another_accounts_job_changes_nothing(world: PortalMemoryWorld, arn: str, form: str) -> None:
    """Names are unique in an account and region only, and the events of all the use cases' accounts come here."""
    answer = world.train(key="k")
    name, before = answer.body["training_job_name"], world.item(answer.body["training_id"])
    _, _, _, region, account, _ = arn.split(":", 5)
    event = event_of(name, arn + name if form == "detail" else None)
    event |= {"account": account, "region": region} if form == "envelope" else {}
    event |= {"resources": [arn + name], "account": "123456789012"} if form == "resources" else {}
    assert job_events.take_event(event, world.portal)["outcome"] == "foreign"
    assert world.item(answer.body["training_id"]) == before


def test_a_record_without_an_arn_takes_the_events_of_its_use_cases_account(world: PortalMemoryWorld) -> None:
    """An event may come before the ARN is noted, and old records have none."""
    item = {"training_id": "old", "usecase_id": "line-1", "training_job_name": "old-job", "status": "InProgress"}
    world.trainings.create_training(item)
    for arn in ELSEWHERE[:1]:
        assert job_events.take_event(event_of("old-job", arn + "old-job"), world.portal)["outcome"] == "foreign"
    ours = "arn:aws:sagemaker:us-east-1:123456789012:training-job/old-job"
    assert job_events.take_event(event_of("old-job", ours), world.portal)["outcome"] == "noted"
    assert world.item("old")["status"] == "Failed"


def test_an_event_finds_its_record_among_those_of_its_name(world: PortalMemoryWorld) -> None:
    """Two accounts, one name: the ARN decides, whichever record the table gives first."""
    for training_id, account in (("first", "999999999999"), ("second", "123456789012")):
        arn = f"arn:aws:sagemaker:us-east-1:{account}:training-job/same"
        item = {"training_id": training_id, "usecase_id": "line-1", "training_job_name": "same"}
        world.trainings.create_training({**item, "training_job_arn": arn, "status": "InProgress"})
    ours = "arn:aws:sagemaker:us-east-1:123456789012:training-job/same"
    assert job_events.take_event(event_of("same", ours), world.portal)["training_id"] == "second"
    assert world.item("first")["status"] == "InProgress"


def test_an_event_that_fits_two_records_changes_none(world: PortalMemoryWorld) -> None:
    """Neither holds the ARN: a guess would end another user's training."""
    for training_id in ("first", "second"):
        item = {"training_id": training_id, "usecase_id": "line-1", "training_job_name": "same"}
        world.trainings.create_training({**item, "status": "InProgress"})
    ours = "arn:aws:sagemaker:us-east-1:123456789012:training-job/same"
    assert job_events.take_event(event_of("same", ours), world.portal)["outcome"] == "ambiguous"
    assert {world.item(one)["status"] for one in ("first", "second")} == {"InProgress"}


def test_an_event_that_says_nothing_of_its_account_is_malformed(world: PortalMemoryWorld) -> None:
    """EventBridge always says it; without it any sender would do."""
    name = world.train(key="k").body["training_job_name"]
    with pytest.raises(MalformedMessageError, match="account"):
        job_events.take_event(event_of(name, None), world.portal)
