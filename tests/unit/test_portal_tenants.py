"""Use cases that share an account do not reach each other's components, jobs and records."""

import json
from typing import Any

import pytest

from domain.keys import Location
from domain.portal.records import UseCase
from handlers.portal_demo.caller import HttpAnswer
from tests.portal_world import ROLE, MemoryWorld, key_of

OTHER = "line-2"
NAME = "model-cookie-x86-64-cpu"
TAG = "dda-portal:usecase-id"


@pytest.fixture
def world() -> MemoryWorld:
    """Two use cases of one account; eve works on the second one only, ada on the first."""
    world = MemoryWorld()
    world.use_cases.use_cases[OTHER] = UseCase(OTHER, "other-line", ROLE)
    world.store.create_bucket("other-line")
    world.use_cases.assigned |= {("eve", OTHER), ("ada", "line-1")}
    return world


def packaged(world: MemoryWorld, use_case_id: str, training_id: str) -> None:
    """A record whose component zip is there."""
    bucket = world.use_cases.use_cases[use_case_id].bucket
    uri = f"s3://{bucket}/deployments/model-{training_id}/component.zip"
    world.owner.put(Location(bucket, key_of(uri)), b"zip", {}, {})
    package = {"target": "x86_64-cpu", "status": "packaged", "component_package_s3": uri}
    item = {"training_id": training_id, "usecase_id": use_case_id, "model_name": "cookie"}
    world.trainings.create_training({**item, "packaged_components": [package]})


def publish(world: MemoryWorld, training_id: str, *, user: str, **more: Any) -> HttpAnswer:
    """Publish under the shared name."""
    body = {"component_name": "model-cookie", **more}
    return world.call("POST", f"/training/{training_id}/publish", body, role="DataScientist", user=user)


def _by_hand(world: MemoryWorld, uri: str, version: str, **tags: str) -> str:
    """A version that was published without the portal."""
    components = world.workplaces.components
    recipe = {"ComponentName": NAME, "ComponentVersion": version, "Manifests": [{"Artifacts": [{"Uri": uri}]}]}
    arn = components.create_component_version(recipe, tags=tags, client_token=f"by hand {version}")
    assert arn is not None
    return arn


@pytest.mark.parametrize("version", [None, "2.0.0", "0.0.1", "1.0.0"])
def test_a_component_of_another_use_case_gets_no_version(world: MemoryWorld, version: str | None) -> None:
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


def test_a_use_case_goes_on_publishing_its_own_component(world: MemoryWorld) -> None:
    """Another training of the same use case, and another user of it."""
    world.use_cases.assigned.add(("bob", "line-1"))
    packaged(world, "line-1", "first")
    packaged(world, "line-1", "second")
    assert publish(world, "first", user="ada").status == 200
    answer = publish(world, "second", user="bob")
    assert [one["component_version"] for one in answer.body["published_components"]] == ["2.0.0"]


def test_a_component_without_tags_belongs_to_the_use_case_that_holds_its_artifacts(world: MemoryWorld) -> None:
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
    world: MemoryWorld, artifacts: list[Any]
) -> None:
    """Nothing shows whose it is; an administrator's tag decides it."""
    components = world.workplaces.components
    recipe = {"ComponentName": NAME, "ComponentVersion": "1.0.0", "Manifests": [{"Artifacts": artifacts}]}
    arn = components.create_component_version(recipe, tags={}, client_token="by hand")
    assert arn is not None
    packaged(world, "line-1", "ours")
    assert publish(world, "ours", user="ada").status == 409
    components.tags[arn] = {TAG: "line-1"}
    assert publish(world, "ours", user="ada").status == 200


def test_a_version_that_is_not_three_numbers_counts_too(world: MemoryWorld) -> None:
    """Greengrass takes ``1.0.0-beta``, the portal does not count it; whose it is it tells all the same."""
    _by_hand(world, "s3://x/y.zip", "1.0.0-beta", **{TAG: OTHER})
    packaged(world, "line-1", "ours")
    assert publish(world, "ours", user="ada").status == 409


def test_a_name_that_two_use_cases_take_at_once_is_told(world: MemoryWorld) -> None:
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


def test_a_component_of_another_use_case_is_not_published_again(world: MemoryWorld) -> None:
    """A record that names it, as one of before this rule may, changes nothing in whose it is."""
    arn = _by_hand(world, f"s3://{world.bucket}/old//a.zip", "1.0.0", **{TAG: OTHER})
    entry = {"target": "x86_64-cpu", "component_name": NAME, "component_arn": arn}
    item = {"training_id": "ours", "usecase_id": "line-1", "model_name": "m", "published_components": [entry]}
    world.trainings.create_training(item)
    answer = world.call("POST", "/training/ours/republish", role="DataScientist", user="ada")
    assert (answer.status, answer.body["field"]) == (409, "component_name")
