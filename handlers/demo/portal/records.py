"""Records and objects of the portal's past, in every shape that they have."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.demo.models import compiled_model, trained_model

USE_CASE = "line-1"
OUTSIDE = "notes/model that no rule maps.tar.gz"
FOREIGN = "s3://another-bucket/datasets//training-output/theirs/output/model.tar.gz"
PLAIN, COMPILED_OLD, HTTPS, RUNNING, PINNED, PUBLISHED = (
    *("old-plain", "old-compiled", "old-https", "old-running", "old-pinned", "old-published"),
)
ASTRAY = ("old-outside", "old-foreign")
"""Their artifacts are of no place in the new layout, and the API says so."""
Form = Callable[[str], str]


def zip_key(uuid12: str) -> str:
    """The key at which the portal once put a packaged component."""
    return f"model_artifacts/model-{uuid12}/{uuid12}_greengrass_model_component.zip"


PINNED_ZIP, PUBLISHED_ZIP = zip_key("0a1b2c3d4e5f"), zip_key("f5e4d3c2b1a0")
PINNED_MODEL = "training-output/sold-20241101-000000/output/model.tar.gz"
PINNED_PACKAGE = "datasets//training-output/registered-20241102-000000/output/model.tar.gz"
RUNNING_JOB, RUNNING_COMPILATION = "cookie-20251201-101500", "cookie-x86cpu-20251201101500"


@dataclass(frozen=True, slots=True)
class Past:
    """The content before the move: objects by key, augmented manifests apart, records as plain values."""

    objects: Mapping[str, bytes]
    manifests: Mapping[str, bytes]
    trainings: Sequence[Mapping[str, Any]]
    models: Sequence[Mapping[str, Any]]
    components: Mapping[str, str] = field(default_factory=dict)
    """Published components' names, each with the key of its zip."""


def past_of(bucket: str, *, region: str) -> Past:
    """The past of a use case's bucket."""
    objects: dict[str, bytes] = {}

    def s3(key: str) -> str:
        if key.endswith("model.tar.gz"):
            objects.setdefault(key, trained_model(key))
        elif key.endswith(".zip"):
            objects.setdefault(key, f"component {key}".encode() * 20)
        elif not key.endswith((".manifest", ".jsonl")):
            objects.setdefault(key, compiled_model(key))
        return f"s3://{bucket}/{key}"

    def virtual(key: str) -> str:
        return s3(key).replace(f"s3://{bucket}/", f"https://{bucket}.s3.{region}.amazonaws.com/")

    def path_style(key: str) -> str:
        return s3(key).replace("s3://", f"https://s3.{region}.amazonaws.com/")

    images = [f"datasets/batch-{number}/cookie-{number}.jpg" for number in range(6)]
    objects |= {key: f"image {key}".encode() for key in images}
    manifests = {
        "datasets/cookies.manifest": _manifest(bucket, images[:4]),
        "datasets//cookies-2.jsonl": _manifest(bucket, images[4:]),
    }
    trainings = [*_plain(s3), *_compiled(s3), *_https(virtual, path_style), *_running(s3), *_published(s3)]
    for key in (PINNED_MODEL, PINNED_PACKAGE):
        s3(key)
    models = [
        {"model_id": f"{PLAIN}-1.0.0", "dataset_manifest_id": s3("datasets/cookies.manifest"), "stage": "production"},
        {"model_id": "no-manifest", "dataset_manifest_id": "", "notes": s3(OUTSIDE)},
    ]
    components = {"model-pinned-x86-64-cpu": PINNED_ZIP, "model-again-x86-64-cpu": PUBLISHED_ZIP}
    return Past(objects, manifests, trainings, models, components)


def _manifest(bucket: str, images: Sequence[str]) -> bytes:
    """A labelling manifest: JSON Lines with what labelling jobs write beside the source."""
    meta = {"class-name": "normal", "confidence": 0, "type": "groundtruth/image-classification"}
    lines = [
        {"source-ref": f"s3://{bucket}/{key}", "anomaly-label": place % 2, "anomaly-label-metadata": meta}
        for place, key in enumerate(images)
    ]
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def _training(training_id: str, job: str, **more: Any) -> dict[str, Any]:
    base = {"training_id": training_id, "usecase_id": USE_CASE, "model_name": "cookie", "training_job_name": job}
    return {**base, "status": "Completed", **more}


def _plain(s3: Form) -> list[dict[str, Any]]:
    """Prefixes joined with one slash too many, too few, or none; and records that must not change."""
    jobs = [f"cookie-2025110{number}-042027" for number in range(1, 6)]
    roots = ("datasets//training-output/", "datasets/line-2/training-output/", "plant/a/b//training-output/")
    exotic = {
        "notes": f"see {s3(f'{roots[0]}{jobs[0]}/output/model.tar.gz')} for the first try",
        "weights": bytes(range(16)),
        "labels": {"good", "broken"},
        "nothing": None,
        "is_good": True,
        "hyperparameters": {"epochs": 3, "nested": [1, {"uri": s3(f"{roots[0]}{jobs[0]}/output/model.tar.gz")}]},
    }
    found = [
        _training(
            PLAIN,
            jobs[0],
            artifact_s3=s3(f"{roots[0]}{jobs[0]}/output/model.tar.gz"),
            dataset_manifest_s3=s3("datasets/cookies.manifest"),
            **exotic,
        )
    ]
    found += [
        _training(f"{PLAIN}-{place}", job, artifact_s3=s3(f"{root}{job}/output/model.tar.gz"))
        for place, (root, job) in enumerate(zip(("training-output/", *roots[1:]), jobs[1:], strict=False))
    ]
    found.append(_training("old-failed", "cookie-20251106-042027", status="Failed", failure_reason="out of memory"))
    found.append(_training(ASTRAY[1], "cookie-20251107-042027", artifact_s3=FOREIGN))
    found.append(_training(ASTRAY[0], "cookie-20251108-042027", artifact_s3=s3(OUTSIDE)))
    return found


def _compiled(s3: Form) -> list[dict[str, Any]]:
    """Compilations of both forms, a failed one without a model, and packaged components."""
    old = "datasets//compilation-output"
    jobs = [
        ("jetson-xavier", "cookie-jetson-20251111050000", "model-jetson-xavier.tar.gz"),
        ("x86_64-cpu", "cookie-x86cpu-20251111050001", "output/model.tar.gz"),
        ("arm64-cpu", "cookie-arm64-cpu-20251111050002", "output/model.tar.gz"),
        ("x86_64-cuda", "cookie-x86cuda-20251111050003", "model-LINUX_X86_64_NVIDIA.tar.gz"),
    ]
    entries: list[dict[str, Any]] = [
        {
            "target": target,
            "compilation_job_name": job,
            "status": "COMPLETED",
            "compiled_model_s3": s3(f"{old}/{job}/{file}"),
        }
        for target, job, file in jobs
    ]
    entries.append({"target": "x86_64-cpu", "compilation_job_name": "cookie-x86cpu-20251110", "status": "FAILED"})
    packed = [
        {
            "target": "jetson-xavier",
            "component_package_s3": s3(zip_key("112233445566")),
            "status": "packaged",
            "size": 17,
        },
        {"target": "x86_64-cpu", "status": "failed", "error": "no space"},
    ]
    job = "cookie-20251111-042027"
    return [
        _training(
            COMPILED_OLD,
            job,
            artifact_s3=s3(f"datasets//training-output/{job}/output/model.tar.gz"),
            dataset_manifest_s3=s3("datasets//cookies-2.jsonl"),
            compilation_jobs=entries,
            packaged_components=packed,
        )
    ]


def _https(virtual: Form, path_style: Form) -> list[dict[str, Any]]:
    """Links as the console shows them."""
    job = "cookie-20251112-042027"
    compiled = virtual("compilation-output/cookie-arm64cpu-20251112050000/model-LINUX_ARM64.tar.gz")
    entry = {"target": "arm64-cpu", "compilation_job_name": "cookie-arm64cpu-20251112050000", "status": "COMPLETED"}
    return [
        _training(
            HTTPS,
            job,
            artifact_s3=path_style(f"datasets/training-output/{job}/output/model.tar.gz"),
            compilation_jobs=[{**entry, "compiled_model_s3": compiled}],
        )
    ]


def _running(s3: Form) -> list[dict[str, Any]]:
    """A training and a compilation that were started before, and end in the middle of the move, at the old keys."""
    entry = {"target": "x86_64-cpu", "compilation_job_name": RUNNING_COMPILATION, "status": "INPROGRESS"}
    manifest = s3("datasets/cookies.manifest")
    more = {"dataset_manifest_s3": manifest, "compilation_jobs": [entry]}
    return [_training(RUNNING, RUNNING_JOB, **{"status": "InProgress", **more})]


def _published(s3: Form) -> list[dict[str, Any]]:
    """Components in Greengrass: one that is never published again, and one that is."""
    found = []
    for training_id, name, key in ((PINNED, "model-pinned", PINNED_ZIP), (PUBLISHED, "model-again", PUBLISHED_ZIP)):
        package = {"target": "x86_64-cpu", "component_package_s3": s3(key), "status": "packaged"}
        arn = f"arn:aws:greengrass:us-east-1:000000000000:components:{name}-x86-64-cpu:versions:1.0.0"
        entry = {
            "target": "x86_64-cpu",
            "component_name": f"{name}-x86-64-cpu",
            "component_version": "1.0.0",
            "component_arn": arn,
            "status": "published",
        }
        job = f"{name}-20251113-042027"
        uri = s3(f"datasets//training-output/{job}/output/model.tar.gz")
        more = {"packaged_components": [package], "published_components": [entry]}
        found.append(_training(training_id, job, artifact_s3=uri, **more))
    return found


def recipe_of_the_past(name: str, uri: str) -> dict[str, Any]:
    """A component as the portal once published it."""
    folder = uri.rsplit("/", maxsplit=1)[-1].removesuffix(".zip")
    script = f"run {{artifacts:decompressedPath}}/{folder}/ --model_version 1.0.0 --model_name {name}"
    artifact = {"Uri": uri, "Digest": "of old", "Algorithm": "SHA-256", "Unarchive": "ZIP"}
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": "1.0.0",
        "Manifests": [{"Lifecycle": {"Startup": {"Script": script}}, "Artifacts": [artifact]}],
    }
