"""A use case that nobody migrates, and settings that cannot be used."""

import pytest

from domain.errors import InputError
from domain.keys import Location
from domain.portal.records import UseCase
from handlers.portal.settings import read_portal_settings
from tests.worlds.portal import ROLE, TRAINED_MODEL, PortalMemoryWorld, paths_in

TABLES = {f"KEYSHIFT_PORTAL_{name}_TABLE": "some" for name in ("TRAINING", "MODELS", "USE_CASES", "USER_ROLES")}


def test_a_use_case_without_a_migration_has_the_new_layout_in_its_own_bucket() -> None:
    """Its jobs write under its own prefix, its reads answer with what is there, its manifest must be there."""
    world = PortalMemoryWorld()
    bucket, mine = "never-migrated", {"usecase_id": "line-2", "model_name": "calm"}
    world.use_cases.use_cases["line-2"] = UseCase("line-2", bucket, ROLE, prefix="portal/")
    world.store.create_bucket(bucket)
    manifest = Location(bucket, "portal/datasets/manifests/one.manifest")
    refused = world.train(**mine, dataset_manifest_s3=manifest.uri)
    assert (refused.status, refused.body["field"]) == (400, "dataset_manifest_s3")
    world.store.put(manifest, b"{}\n")
    trained = world.train(**mine, dataset_manifest_s3=manifest.uri)
    assert trained.status == 201, trained
    job = trained.body["training_job_name"]
    output = f"s3://{bucket}/portal/models/training/"
    assert world.jobs_of(job)["OutputDataConfig"]["S3OutputPath"] == output
    artifact = Location(bucket, f"portal/models/training/{job}/output/model.tar.gz")
    world.store.put(artifact, TRAINED_MODEL)
    world.tell_training(job, artifact.uri)
    answer = world.call("GET", f"/training/{trained.body['training_id']}")
    assert answer.status == 200
    assert "unresolved" not in answer.body
    assert {artifact.uri, manifest.uri} <= set(paths_in(answer.body))


def test_every_variable_that_is_missing_or_wrong_is_named() -> None:
    """All of them at once, under the names that the environment has."""
    with pytest.raises(InputError) as missing:
        read_portal_settings({})
    assert all(name in str(missing.value) for name in TABLES)
    with pytest.raises(InputError) as wrong:
        read_portal_settings(TABLES | {"KEYSHIFT_PORTAL_ARCHIVE_RATIO": "1", "KEYSHIFT_PORTAL_ARCHIVE_BYTES": "many"})
    named = [line.split(":")[0].strip() for line in str(wrong.value).splitlines()[1:]]
    assert sorted(named) == ["KEYSHIFT_PORTAL_ARCHIVE_BYTES", "KEYSHIFT_PORTAL_ARCHIVE_RATIO"]
    assert read_portal_settings(TABLES).training_table == "some"


@pytest.mark.parametrize("left_empty", TABLES)
def test_a_table_that_is_left_empty_is_refused(left_empty: str) -> None:
    """Without the table of users' roles each user would work on every use case."""
    with pytest.raises(InputError, match=left_empty):
        read_portal_settings(TABLES | {left_empty: ""})
    with pytest.raises(InputError, match=left_empty):
        read_portal_settings({name: table for name, table in TABLES.items() if name != left_empty})
