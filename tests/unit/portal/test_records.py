"""How a training record learns of its jobs' ends, in any order and more than once, and what a recipe is made of."""

from typing import Any

import pytest

from domain.errors import InputError
from domain.portal.components import (
    ComponentVersion,
    RecipeRequest,
    component_name,
    newest,
    recipe_of,
    republished,
)
from domain.portal.layout import LayoutError
from domain.portal.records import JobEnd, compilation_changes, compiled_jobs, training_changes, with_entries
from domain.portal.targets import Target

ARTIFACT = "s3://line-1/models/training/j/output/model.tar.gz"
Job = dict[str, Any]


@pytest.mark.parametrize(
    ("item", "end", "changes"),
    [
        ({"status": "InProgress"}, JobEnd("j", "InProgress"), {}),
        ({"status": "InProgress"}, JobEnd("j", "Stopping"), {"status": "Stopping"}),
        (
            {"status": "InProgress"},
            JobEnd("j", "Completed", ARTIFACT),
            {"status": "Completed", "artifact_s3": ARTIFACT},
        ),
        (
            {"status": "InProgress"},
            JobEnd("j", "Failed", None, "no data"),
            {"status": "Failed", "failure_reason": "no data"},
        ),
        ({"status": "Completed"}, JobEnd("j", "COMPLETED", ARTIFACT), {"artifact_s3": ARTIFACT}),
        ({"status": "Completed", "artifact_s3": "s3://known/one"}, JobEnd("j", "Completed", ARTIFACT), {}),
        ({"status": "Completed"}, JobEnd("j", "Completed"), {}),
        ({"status": "Failed"}, JobEnd("j", "Completed", ARTIFACT), {}),
        ({"status": "Completed", "artifact_s3": ARTIFACT}, JobEnd("j", "InProgress"), {}),
    ],
)
def test_a_training_never_goes_back(item: Job, end: JobEnd, changes: Job) -> None:
    """Only what is new is written; a late word about a job that has ended adds its artifact and nothing else."""
    assert training_changes(item, end) == changes


@pytest.mark.parametrize(
    ("job", "end", "after"),
    [
        ({"status": "INPROGRESS"}, JobEnd("c", "InProgress"), None),
        (
            {"status": "INPROGRESS"},
            JobEnd("c", "Completed", "s3://m"),
            {"status": "COMPLETED", "compiled_model_s3": "s3://m"},
        ),
        ({"status": "INPROGRESS"}, JobEnd("c", "Failed", None, "why"), {"status": "FAILED", "failure_reason": "why"}),
        (
            {"status": "COMPLETED"},
            JobEnd("c", "Completed", "s3://m"),
            {"status": "COMPLETED", "compiled_model_s3": "s3://m"},
        ),
        ({"status": "COMPLETED", "compiled_model_s3": "s3://known"}, JobEnd("c", "Completed", "s3://m"), None),
        ({"status": "COMPLETED"}, JobEnd("c", "Completed"), None),
        ({"status": "FAILED"}, JobEnd("c", "Completed", "s3://m"), None),
    ],
)
def test_a_compilation_never_goes_back(job: Job, end: JobEnd, after: Job | None) -> None:
    """One of several jobs of a record; the others stay, and nothing new is no change."""
    other, name = {"compilation_job_name": "o", "status": "INPROGRESS"}, {"compilation_job_name": "c"}
    changes = compilation_changes({"compilation_jobs": [other, name | job, other]}, end)
    assert changes == ({} if after is None else {"compilation_jobs": [other, name | after, other]})


def test_every_entry_about_a_job_is_brought_up_to_date() -> None:
    """A record that holds one twice, the first of them ended already."""
    name = {"compilation_job_name": "c"}
    done, running = name | {"status": "COMPLETED", "compiled_model_s3": "s3://m"}, name | {"status": "INPROGRESS"}
    changes = compilation_changes({"compilation_jobs": [done, running]}, JobEnd("c", "Completed", "s3://m"))
    assert changes == {"compilation_jobs": [done, done]}
    starting = name | {"status": "STARTING"}
    changes = compilation_changes({"compilation_jobs": [starting, running]}, JobEnd("c", "InProgress"))
    assert changes == {"compilation_jobs": [running, running]}
    late = name | {"status": "COMPLETED"}
    changes = compilation_changes({"compilation_jobs": [running, late, done]}, JobEnd("c", "Completed", "s3://m"))
    assert changes == {"compilation_jobs": [done, done, done]}


def test_an_entry_takes_the_place_of_the_first_that_is_the_same() -> None:
    """By the attributes that make it the same; others are put behind."""
    item = {"models": [{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 1, "n": 2}]}
    entries = [{"id": 1, "n": 9}, {"id": 3, "n": 9}]
    assert with_entries(item, "models", entries, same=("id",)) == [
        *({"id": 1, "n": 9}, {"id": 2, "n": 1}, {"id": 1, "n": 2}, {"id": 3, "n": 9})
    ]
    assert with_entries({}, "models", entries[:1], same=("id",)) == entries[:1]


def test_the_newest_completed_job_of_each_target_counts() -> None:
    """One with a model, of a target that is known and was asked for."""
    arm = {"target": "arm64-cpu", "status": "Completed", "compiled_model_s3": "s3://1"}
    newer, cpu = arm | {"compiled_model_s3": "s3://2"}, arm | {"target": "x86_64-cpu"}
    jobs = [
        *(arm, newer, cpu, arm | {"status": "FAILED"}, arm | {"compiled_model_s3": None}, arm | {"target": "toaster"}),
        {"status": "COMPLETED", "compiled_model_s3": "s3://3"},
    ]
    item = {"compilation_jobs": jobs}
    assert compiled_jobs(item, None) == {Target.ARM64_CPU: newer, Target.X86_64_CPU: cpu}
    assert compiled_jobs(item, [Target.X86_64_CPU]) == {Target.X86_64_CPU: cpu}
    assert compiled_jobs(item, []) == {}


def test_versions_go_up_to_greengrass_limit() -> None:
    """The next publication is a major version, and there is one after the last but one."""
    assert ComponentVersion(999_998, 4, 2).next_major == ComponentVersion(999_999)
    with pytest.raises(InputError, match=r"no version after 999999\.0\.0: publish under another component name"):
        _ = ComponentVersion(999_999).next_major
    assert newest(["1.0.0", "none", "10.0.0", "9.9.9", "1.0"]) == ComponentVersion(10)
    assert newest(["none"]) is None


def test_a_components_name_may_be_as_long_as_greengrass_takes() -> None:
    """128 characters with its target, and not one more."""
    tail = len("-arm64-cpu")
    name = "model-" + "m" * (128 - tail - len("model-"))
    assert len(component_name(name, Target.ARM64_CPU)) == 128
    with pytest.raises(LayoutError, match="with its target it has 129 characters, 128 are allowed"):
        component_name(name + "m", Target.ARM64_CPU)


def test_a_recipe_starts_the_model_from_its_own_folder() -> None:
    """As root, within fifteen minutes, and not by itself; a republication leaves everything else as it is."""
    uri = "s3://line-1/deployments/a/component.zip"
    recipe = recipe_of(RecipeRequest("model-a", ComponentVersion(2), "A", Target.ARM64_CPU, uri))
    (manifest,) = recipe["Manifests"]
    assert manifest["Lifecycle"]["Startup"] == {
        "Script": "python3 /aws_dda/model_convertor.py --unarchived_model_path "
        "{artifacts:decompressedPath}/component/ --model_version 2.0.0 --model_name model-a",
        "Timeout": 900,
        "requiresPrivilege": True,
        "runWith": {"posixUser": "root"},
    }
    assert recipe["ComponentConfiguration"]["DefaultConfiguration"]["Autostart"] is False
    (artifact,) = [dict(one) for one in manifest["Artifacts"]]
    manifest["Artifacts"][0] |= {"Digest": "of the old archive", "Algorithm": "SHA-256"}  # Greengrass adds them
    moved = uri.replace("component.zip", "moved.zip")
    again = republished(recipe, version=ComponentVersion(3), new_uri=lambda _: moved)
    assert (again.moved, again.recipe["Lifecycle"]) == ({uri: moved}, {})
    assert again.recipe["Manifests"][0]["Artifacts"] == [artifact | {"Uri": moved}]
    started = again.recipe["Manifests"][0]["Lifecycle"]["Startup"]
    assert (started["Timeout"], started["requiresPrivilege"]) == (900, True)
    assert "{artifacts:decompressedPath}/moved/ --model_version 3.0.0 " in started["Script"]
