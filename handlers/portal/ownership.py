"""Whose a component or a job is: use cases that share an account share its names."""

from collections.abc import Mapping

from domain.errors import InputError
from domain.portal.components import artifact_places, newest
from domain.portal.ports import ComponentService, JobService
from handlers.portal.errors import HttpError
from handlers.portal.portal import UseCaseServices

USE_CASE_TAG = "dda-portal:usecase-id"
TRAINING_TAG = "TrainingId"


def use_case_value(use_case_id: str) -> str:
    """The use case as a tag holds it: a tag's value has at most 256 characters."""
    return use_case_id[:256]


def require_own_component(
    services: UseCaseServices, components: ComponentService, name: str, versions: list[str]
) -> None:
    """409 unless the component is new, or its newest version is this use case's.

    Devices take the newest version as root, so its publisher acts on the devices of everyone who deployed it.
    ``versions`` is Greengrass's own list, which begins with the newest that it knows.
    """
    last = newest(versions)
    for version in dict.fromkeys([*([str(last)] if last is not None else []), *versions[:1]]):
        require_own_version(services, components, f"{components.component_arn(name)}:versions:{version}")


def require_own_version(services: UseCaseServices, components: ComponentService, arn: str) -> None:
    """409 unless this version is the use case's by its tag, or, without the tag, by where its artifacts are."""
    name, version = arn.rpartition("components:")[2].split(":versions:")
    tags = components.read_tags(arn)
    owner = tags.get(USE_CASE_TAG)
    use_case_id = services.use_case.use_case_id
    if owner == use_case_value(use_case_id) or (owner is None and _has_our_artifacts(services, components, arn)):
        return
    if owner is not None:
        # The other use case stays unnamed: the caller may not be meant to know of it.
        said = f"{name} is a component of another use case: publish under another name"
    else:
        said = (
            f"{name} {version} has no tag {USE_CASE_TAG}, and its artifacts are not in a bucket of {use_case_id}: "
            f"publish under another name; if it is of {use_case_id}, its administrator tags {arn} so"
        )
    raise HttpError(409, said, field="component_name")


def _has_our_artifacts(services: UseCaseServices, components: ComponentService, arn: str) -> bool:
    """Whether every artifact of a version that the portal did not tag is in a bucket of this use case."""
    places = artifact_places(components.read_recipe(arn) or {})
    return bool(places) and all(_is_ours(services, place) for place in places)


def _is_ours(services: UseCaseServices, uri: str) -> bool:
    """A bucket is one use case's, but for use cases that share one and have a prefix of their own in it."""
    use_case = services.use_case
    homes = ((use_case.bucket, use_case.prefix), (services.layout.bucket, services.layout.prefix))
    return any(uri.startswith(f"s3://{bucket}/{prefix}") for bucket, prefix in homes)


def tags_of(use_case_id: str, *, training_id: str, user_id: str) -> Mapping[str, str]:
    """The tags of a version that the portal publishes."""
    return {
        "dda-portal:managed": "true",
        USE_CASE_TAG: use_case_value(use_case_id),
        "dda-portal:training-id": training_id,
        "dda-portal:created-by": user_id[:256],
    }


def job_tags(use_case_id: str, training_id: str) -> list[dict[str, str]]:
    """The tags of a job that the portal starts, as SageMaker takes them."""
    return [{"Key": "UseCase", "Value": use_case_value(use_case_id)}, {"Key": TRAINING_TAG, "Value": training_id}]


def require_own_job(jobs: JobService, arn: str, training_id: str) -> None:
    """InputError unless a job that was there already is of this very training: a name alone proves nothing."""
    if jobs.read_job_tags(arn).get(TRAINING_TAG) != training_id:
        name = arn.rpartition("/")[2]
        raise InputError(f"The job {name} is not of this training: repeat the request under another idempotency key")
