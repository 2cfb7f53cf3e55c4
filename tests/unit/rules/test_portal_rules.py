"""The portal's rules do what workload.md says, for every layout it names."""

import pytest

from domain.rules.compiled import MapOutcome
from handlers.config.rules_file import load_rules

PORTAL = load_rules("migrations/edge-cv-portal.yaml")
COOKIE = "cookie-20251211-042027"


@pytest.mark.parametrize(
    ("key", "target"),
    [
        *(
            (f"{root}training-output/{COOKIE}/output/model.tar.gz", f"models/training/{COOKIE}/output/model.tar.gz")
            for root in (
                "",
                "/",
                "datasets//",
                "datasets/",
                "datasets/line-2/",
                "datasets/line-2//",
                "a/b/c/",
                "a/b/c//",
            )
        ),
        ("training-output/j/metadata.json", "models/training/j/metadata.json"),
        (
            "datasets//compilation-output/c-1/model-jetson_xavier.tar.gz",
            "models/compilation/c-1/jetson-xavier/model-jetson_xavier.tar.gz",
        ),
        (
            "compilation-output/c-1/model_for_compilation-LINUX_ARM64_NVIDIA.tar.gz",
            "models/compilation/c-1/jetson-xavier/model_for_compilation-LINUX_ARM64_NVIDIA.tar.gz",
        ),
        ("compilation-output/c-1/m-LINUX_ARM64.tar.gz", "models/compilation/c-1/arm64-cpu/m-LINUX_ARM64.tar.gz"),
        ("compilation-output/c-1/m-LINUX_X86_64.tar.gz", "models/compilation/c-1/x86_64-cpu/m-LINUX_X86_64.tar.gz"),
        (
            "compilation-output/c-1/m-LINUX_X86_64_NVIDIA.tar.gz",
            "models/compilation/c-1/x86_64-cuda/m-LINUX_X86_64_NVIDIA.tar.gz",
        ),
        *(
            (
                f"datasets//compilation-output/cookie-{short}-20251211042027/output/model.tar.gz",
                f"models/compilation/cookie-{short}-20251211042027/{platform}/output/model.tar.gz",
            )
            for short, platform in (
                ("jetson", "jetson-xavier"),
                ("x86cpu", "x86_64-cpu"),
                ("x86cuda", "x86_64-cuda"),
                ("arm64cpu", "arm64-cpu"),
            )
        ),
        ("compilation-output/cookie/output/model.tar.gz", "models/compilation/cookie/output/model.tar.gz"),
        (
            "model_artifacts/model-0a1b2c3d4e5f/0a1b2c3d4e5f_greengrass_model_component.zip",
            "deployments/model-0a1b2c3d4e5f/component.zip",
        ),
        ("datasets/cookies/train.manifest", "datasets/manifests/cookies/train.manifest"),
        ("datasets//a b.JPG", "datasets/raw/a b.JPG"),
    ],
)
def test_a_legacy_key_moves_to_the_new_layout(key: str, target: str) -> None:
    """Every seen form of every legacy layout has its new key."""
    mapped = PORTAL.map_key(key)
    assert mapped.target is not None, mapped
    assert mapped.target.key == target
    assert PORTAL.map_key(target).outcome is MapOutcome.KEEP


@pytest.mark.parametrize(
    "key",
    ["datasets/raw/a.png", "datasets/labeled/x/training-output/j/f", "models/training/j/output/model.tar.gz",
     "models/compilation/j/arm64-cpu/m.tar.gz", "deployments/d/config.json"],
)  # fmt: skip
def test_a_key_of_the_new_layout_stays(key: str) -> None:
    """What is already in its place is kept."""
    assert PORTAL.map_key(key).outcome is MapOutcome.KEEP


@pytest.mark.parametrize(
    "key",
    ["notes.txt", "model_artifacts/model-0a1b2c3d4e5f/0a1b2c3d4e5e_greengrass_model_component.zip",
     f"training-output/{'j' * 64}/output/model.tar.gz", "training-output/-j/output/model.tar.gz",
     "training-output/j//output/model.tar.gz"],
)  # fmt: skip
def test_what_no_layout_describes_is_unmapped(key: str) -> None:
    """A component whose two ids differ, or a job name that SageMaker refuses, is reported and not guessed at."""
    assert PORTAL.map_key(key).outcome is MapOutcome.UNMAPPED
