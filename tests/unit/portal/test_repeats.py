"""The portal's requests and events when one of them stops half-way: the next one goes on, and nothing is stuck."""

import pytest

from domain.errors import AccessDeniedError, UnavailableError
from domain.portal.records import JobEnd
from handlers.portal.compilation import STARTING_SECONDS
from handlers.portal.errors import HttpError
from tests.worlds.portal import PortalMemoryWorld, key_of

COMPILE = {"targets": ["arm64-cpu"]}


@pytest.fixture
def world() -> PortalMemoryWorld:
    """A use case in memory."""
    return PortalMemoryWorld()


def trained(world: PortalMemoryWorld) -> str:
    """A completed training; its id."""
    training_id: str = world.train(key="k").body["training_id"]
    world.finish_training(training_id)
    return training_id


def test_a_compilation_that_was_refused_says_so_and_may_be_asked_for_again(world: PortalMemoryWorld) -> None:
    """The record names the reason; the same request starts the same job, another request one of its own."""
    training_id = trained(world)
    path = f"/training/{training_id}/compile"
    world.workplaces.jobs.fail_next(AccessDeniedError("CreateCompilationJob: denied"), call="create_compilation_job")
    assert world.call("POST", path, COMPILE, key="a").status == 502
    (job,) = world.item(training_id)["compilation_jobs"]
    assert (job["status"], job["failure_reason"]) == ("Failed", "CreateCompilationJob: denied")
    assert world.call("POST", path, COMPILE, key="b").status == 201
    world.finish_compilation(training_id)
    assert world.call("POST", path, COMPILE, key="a").status == 200
    assert [one["status"] for one in world.item(training_id)["compilation_jobs"]] == ["InProgress", "COMPLETED"]


def test_a_request_that_died_before_its_job_blocks_the_next_one_for_no_longer_than_it_can_live(
    world: PortalMemoryWorld,
) -> None:
    """It may still start its job at first; then nobody will."""
    training_id = trained(world)
    path = f"/training/{training_id}/compile"
    world.workplaces.jobs.fail_next(UnavailableError("no answer"), call="create_compilation_job")
    assert world.call("POST", path, COMPILE, key="a").status == 503
    assert world.call("POST", path, COMPILE, key="b").status == 409
    world.clock.advance(STARTING_SECONDS)
    assert world.call("POST", path, COMPILE, key="b").status == 201
    assert world.call("POST", path, COMPILE, key="c").status == 409, "a job that runs blocks for as long as it runs"
    world.clock.advance(STARTING_SECONDS)
    assert world.call("POST", path, COMPILE, key="c").status == 409


@pytest.mark.parametrize("end", ["Failed", "Completed"])
def test_a_job_that_ended_before_its_answer_came_is_not_said_to_run(world: PortalMemoryWorld, end: str) -> None:
    """The repeat meets our own job: what SageMaker says of it counts, with its artifact."""
    world.workplaces.jobs.fail_next(UnavailableError("no answer"), when="after", call="create_training_job")
    assert world.train(key="k").status == 503
    (item,) = world.trainings.items.values()
    uri = f"s3://{world.bucket}/models/training/{item['training_job_name']}/output/model.tar.gz"
    world.end_of(item["training_job_name"], JobEnd(item["training_job_name"], end, uri, "why"))
    assert world.train(key="k").status == 200
    (item,) = world.trainings.items.values()
    assert (item["status"], item["artifact_s3"], item["failure_reason"]) == (end, uri, "why")
    assert item["training_job_arn"]


def test_a_compilation_that_ended_before_its_answer_came_is_not_said_to_run(world: PortalMemoryWorld) -> None:
    """The same for Neo's jobs."""
    training_id = trained(world)
    path = f"/training/{training_id}/compile"
    world.workplaces.jobs.fail_next(UnavailableError("no answer"), when="after", call="create_compilation_job")
    assert world.call("POST", path, COMPILE, key="a").status == 503
    (job,) = world.item(training_id)["compilation_jobs"]
    world.end_of(job["compilation_job_name"], JobEnd(job["compilation_job_name"], "COMPLETED", "s3://b/model.tar.gz"))
    assert world.call("POST", path, COMPILE, key="a").status == 200
    (job,) = world.item(training_id)["compilation_jobs"]
    assert (job["status"], job["compiled_model_s3"]) == ("COMPLETED", "s3://b/model.tar.gz")
    assert job["compilation_job_arn"]


def test_a_refusal_takes_nothing_back_that_an_event_has_said(world: PortalMemoryWorld) -> None:
    """An earlier try had started the job, and its event came; then the permission went."""
    world.workplaces.jobs.fail_next(UnavailableError("no answer"), when="after", call="create_training_job")
    assert world.train(key="k").status == 503
    (item,) = world.trainings.items.values()
    world.trainings.items[item["training_id"]] = {**item, "status": "InProgress"}
    world.workplaces.jobs.fail_next(AccessDeniedError("denied"), call="create_training_job")
    assert world.train(key="k").status == 502
    (item,) = world.trainings.items.values()
    assert item["status"] == "InProgress"


def test_an_event_is_not_acknowledged_while_its_compilation_must_be_tried_again(world: PortalMemoryWorld) -> None:
    """SageMaker has the job and does not show it yet: EventBridge is to deliver the event again."""
    answer = world.train(key="k", auto_compile=True, compilation_targets=["arm64-cpu"])
    training_id, jobs = answer.body["training_id"], world.workplaces.jobs
    jobs.fail_next(UnavailableError("no answer"), when="after", call="create_compilation_job")
    with pytest.raises(UnavailableError):
        world.finish_training(training_id)
    (job,) = world.item(training_id)["compilation_jobs"]
    hidden = jobs.ends.pop(job["compilation_job_name"])
    trained_uri = world.item(training_id)["artifact_s3"]
    with pytest.raises(HttpError, match="does not show"):
        world.tell_training(answer.body["training_job_name"], trained_uri)
    jobs.ends[job["compilation_job_name"]] = hidden
    world.tell_training(answer.body["training_job_name"], trained_uri)
    (job,) = world.item(training_id)["compilation_jobs"]
    assert job["compilation_job_arn"]


def test_a_republication_that_died_before_it_was_recorded_is_recorded_by_the_next(world: PortalMemoryWorld) -> None:
    """Greengrass has the version; the record and the model follow, and nothing is published again."""
    components = world.workplaces.components
    old = f"s3://{world.bucket}/model_artifacts/model-0a1b2c3d4e5f/0a1b2c3d4e5f_greengrass_model_component.zip"
    world.put(key_of(old), b"zip")
    recipe = {
        "ComponentName": "model-old-x86-64-cpu",
        "ComponentVersion": "1.0.0",
        "Manifests": [{"Artifacts": [{"Uri": old}]}],
    }
    arn = components.create_component_version(recipe, tags={}, client_token="old" * 4)
    entry = {"target": "x86_64-cpu", "component_name": "model-old-x86-64-cpu", "component_arn": arn}
    world.trainings.create_training(
        {"training_id": "old", "usecase_id": "line-1", "model_name": "old", "published_components": [entry]}
    )
    world.move(key_of(old))
    world.trainings.fail_next(UnavailableError("no answer"), call="change_training")
    assert world.call("POST", "/training/old/republish").status == 503
    assert world.call("POST", "/training/old/republish").status == 200
    assert [one["component_version"] for one in world.item("old")["published_components"][1:]] == ["2.0.0"]
    assert components.list_versions(components.component_arn("model-old-x86-64-cpu")) == ["2.0.0", "1.0.0"]
    assert world.call("POST", "/training/old/republish").body["published_components"] == []
