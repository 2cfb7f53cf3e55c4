"""The new layout's keys: which are built, which are told apart, and why others are refused."""

from collections.abc import Callable

import pytest

from domain.portal.jobs import safe_name
from domain.portal.layout import DatasetKind, DeploymentArtifact, Layout, LayoutError, job_fault
from domain.portal.targets import Target

LAYOUT = Layout("line-1", "portal/")
LONG_JOB = "j" * 63


@pytest.mark.parametrize(
    "key",
    [
        "datasets/raw/a/b.png",
        f"models/training/{LONG_JOB}/output/model.tar.gz",
        "models/compilation/j/arm64-cpu/m.gz",
        "models/compilation/j/other/m.gz",
        "models/compilation/j/m.gz",
        "deployments/d_1/x/config.json",
    ],
)
def test_a_key_of_the_layout_has_no_fault(key: str) -> None:
    """Each kind of it, with the platform's folder and without."""
    assert LAYOUT.fault_of(f"portal/{key}") is None


@pytest.mark.parametrize(
    "key",
    [
        *("datasets/raw", "datasets/other/a", "models/training/j", "models/training/-j/a", "deployments/d"),
        *("models/compilation/-j/arm64-cpu/m", "models/compilation/-j/m", "models/compilation/j/arm64-cpu"),
        *("models/compilation/j", "deployments/.d/a", "other/a", f"models/training/{LONG_JOB}j/a"),
    ],
)
def test_a_key_of_no_place_says_which_there_are(key: str) -> None:
    """Too short, of another kind, or of a name that SageMaker would refuse."""
    assert LAYOUT.fault_of(f"portal/{key}") == (
        "it begins like none of datasets/{raw|manifests|labeled}/…, models/training/{job}/…, "
        "models/compilation/{job}/…, deployments/{deployment}/…"
    )


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("portal/datasets//a", "it has an empty segment"),
        ("portal/datasets/raw/../a", "it has a '..' segment"),
        ("", "it is empty"),
        ("portal/datasets/raw/" + "a" * 1010, "it has 1030 bytes of UTF-8, S3 allows 1024"),
        ("datasets/raw/a", "it does not begin with 'portal/'"),
    ],
)
def test_a_bad_key_says_why(key: str, fault: str) -> None:
    """What S3 or its clients cannot take comes first, then whose root it is."""
    assert LAYOUT.fault_of(key) == fault


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Layout("No_Bucket"), "bucket: 'No_Bucket' is not a valid bucket name"),
        (lambda: Layout("line-1", "portal"), "prefix: 'portal' must end with a slash"),
        (lambda: Layout("line-1", "a//"), "prefix: 'a/' has an empty segment"),
        (lambda: Layout("line-1", "a\n/"), "prefix: it has a control character"),
        (lambda: Layout("line-1", "é" * 600 + "/"), "prefix: it has 1200 bytes of UTF-8, S3 allows 1024"),
        (lambda: LAYOUT.training("j-"), "job: 'j-': a job name has only A-Z, a-z, 0-9 and hyphens"),
        (lambda: LAYOUT.training(LONG_JOB + "j"), "a job name has at most 63 characters, this one has 64"),
        (lambda: LAYOUT.compilation("j_", Target.ARM64_CPU, "m"), "job: 'j_'"),
        (lambda: LAYOUT.compilation_output_uri("j_", Target.ARM64_CPU), "job: 'j_'"),
        (
            lambda: LAYOUT.deployment("-d", DeploymentArtifact.CONFIG),
            "deployment: '-d' is not a valid deployment name: it has at most 128 of A-Z, a-z, 0-9, '.', '_' and '-'",
        ),
        (lambda: LAYOUT.dataset(DatasetKind.RAW, "a/./b"), "path: 'a/./b' has a '.' segment"),
        (lambda: LAYOUT.dataset(DatasetKind.RAW, "a\tb"), "path: it has a control character"),
        (
            lambda: LAYOUT.dataset(DatasetKind.RAW, "a" * 1010),
            f"path: 'portal/datasets/raw/{'a' * 60}…' cannot be a key: it has 1030 bytes of UTF-8, S3 allows 1024",
        ),
    ],
)
def test_what_cannot_be_part_of_a_key_is_named_with_its_field(make: Callable[[], object], says: str) -> None:
    """Before anything is written under it."""
    with pytest.raises(LayoutError) as caught:
        make()
    assert says in str(caught.value)


def test_keys_and_outputs_stand_below_the_root() -> None:
    """SageMaker appends the job, Neo appends nothing."""
    assert LAYOUT.training("j").uri == "s3://line-1/portal/models/training/j/output/model.tar.gz"
    assert LAYOUT.compilation("j", Target.ARM64_CPU, "m").key == "portal/models/compilation/j/arm64-cpu/m"
    assert LAYOUT.deployment("d", DeploymentArtifact.CONFIG).key == "portal/deployments/d/config.json"
    assert LAYOUT.training_output_uri == "s3://line-1/portal/models/training/"
    assert (
        LAYOUT.compilation_output_uri("j", Target.JETSON_XAVIER)
        == "s3://line-1/portal/models/compilation/j/jetson-xavier/"
    )


def test_a_job_may_have_a_name_as_long_as_sagemaker_takes() -> None:
    """63 characters, and not one more."""
    assert job_fault(LONG_JOB) is None
    assert job_fault(LONG_JOB + "j") == "a job name has at most 63 characters, this one has 64"


@pytest.mark.parametrize(
    ("name", "longest", "safe"),
    [("Cookie  (v2)", 20, "Cookie-v2"), ("Cookie (v2)", 7, "Cookie"), ("ü!", 9, "model"), ("", 9, "model")],
)
def test_a_models_name_becomes_part_of_a_jobs_name(name: str, longest: int, safe: str) -> None:
    """Letters, digits and single hyphens, none of them last, and never nothing."""
    assert safe_name(name, longest) == safe
