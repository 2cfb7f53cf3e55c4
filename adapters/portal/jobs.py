"""SageMaker's training and compilation jobs."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, error_code, translated
from domain.portal.records import JobEnd, JobKind

_ABSENT = frozenset({"ResourceNotFound", "ResourceNotFoundException"})


class SageMakerJobService:
    """JobService on SageMaker. A repeat by the SDK finds the portal's own job as ResourceInUse, which is an answer."""

    def __init__(self, clients: AwsClients) -> None:
        self._client: Any = clients.sagemaker

    def create_job(self, kind: JobKind, request: Mapping[str, Any]) -> str | None:
        """See the port."""
        is_training = kind is JobKind.TRAINING
        create = self._client.create_training_job if is_training else self._client.create_compilation_job
        taken = accepting("ResourceInUse", "ResourceInUseException")
        with translated(f"Create{kind}Job", request[f"{kind}JobName"]), taken:
            return str(create(**request)[f"{kind}JobArn"])
        return None

    def describe_job(self, kind: JobKind, name: str) -> tuple[str, JobEnd] | None:
        """See the port."""
        is_training = kind is JobKind.TRAINING
        describe = self._client.describe_training_job if is_training else self._client.describe_compilation_job
        with translated(f"Describe{kind}Job", name):
            try:
                answer = describe(**{f"{kind}JobName": name})
            except ClientError as error:
                if _is_absent(error):
                    return None
                raise
        artifact = answer.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        end = JobEnd(name, answer[f"{kind}JobStatus"], artifact or None, answer.get("FailureReason") or None)
        return answer[f"{kind}JobArn"], end

    def read_job_tags(self, arn: str) -> Mapping[str, str]:
        """See the port."""
        tags: dict[str, str] = {}
        with translated("ListTags", arn):
            for page in self._client.get_paginator("list_tags").paginate(ResourceArn=arn):
                tags |= {one["Key"]: one["Value"] for one in page.get("Tags", [])}
        return tags


def _is_absent(error: ClientError) -> bool:
    """DescribeTrainingJob says ValidationException, with these words, for a job that does not exist."""
    message = str(error.response.get("Error", {}).get("Message", "")).lower()
    return error_code(error) in _ABSENT or "not found" in message or "could not find" in message
