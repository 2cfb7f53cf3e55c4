"""SageMaker's training and compilation jobs."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, error_code, translated
from domain.portal.records import JobEnd

_ABSENT = frozenset({"ResourceNotFound", "ResourceNotFoundException"})


class SageMakerJobService:
    """JobService on SageMaker. A repeat by the SDK finds the portal's own job as ResourceInUse, which is an answer."""

    def __init__(self, clients: AwsClients) -> None:
        self._client: Any = clients.sagemaker

    def create_training_job(self, request: Mapping[str, Any]) -> str | None:
        """See the port."""
        name = request["TrainingJobName"]
        return self._created("CreateTrainingJob", name, self._client.create_training_job, request, "TrainingJobArn")

    def create_compilation_job(self, request: Mapping[str, Any]) -> str | None:
        """See the port."""
        name = request["CompilationJobName"]
        create = self._client.create_compilation_job
        return self._created("CreateCompilationJob", name, create, request, "CompilationJobArn")

    def describe_training_job(self, name: str) -> tuple[str, JobEnd] | None:
        """See the port."""
        return self._described("DescribeTrainingJob", name, self._client.describe_training_job, "TrainingJob")

    def describe_compilation_job(self, name: str) -> tuple[str, JobEnd] | None:
        """See the port."""
        return self._described("DescribeCompilationJob", name, self._client.describe_compilation_job, "CompilationJob")

    def read_job_tags(self, arn: str) -> Mapping[str, str]:
        """See the port."""
        tags: dict[str, str] = {}
        with translated("ListTags", arn):
            for page in self._client.get_paginator("list_tags").paginate(ResourceArn=arn):
                tags |= {one["Key"]: one["Value"] for one in page.get("Tags", [])}
        return tags

    @staticmethod
    def _created(action: str, name: str, create: Any, request: Mapping[str, Any], arn: str) -> str | None:
        with translated(action, name), accepting("ResourceInUse", "ResourceInUseException"):
            return str(create(**request)[arn])
        return None

    @staticmethod
    def _described(action: str, name: str, describe: Any, kind: str) -> tuple[str, JobEnd] | None:
        with translated(action, name):
            try:
                answer = describe(**{f"{kind}Name": name})
            except ClientError as error:
                if _is_absent(error):
                    return None
                raise
        artifact = answer.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        end = JobEnd(name, answer[f"{kind}Status"], artifact or None, answer.get("FailureReason") or None)
        return answer[f"{kind}Arn"], end


def _is_absent(error: ClientError) -> bool:
    """DescribeTrainingJob says ValidationException, with these words, for a job that does not exist."""
    message = str(error.response.get("Error", {}).get("Message", "")).lower()
    return error_code(error) in _ABSENT or "not found" in message or "could not find" in message
