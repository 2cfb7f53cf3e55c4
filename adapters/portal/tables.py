"""The portal's own tables: training jobs, models, use cases, and who works on which."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.dynamodb.item_table import ItemTable
from domain.errors import InputError
from domain.portal.records import Item, PortalTables, UseCase

_TO, _FROM = TypeSerializer(), TypeDeserializer()


class DynamoDbTrainingBook:
    """TrainingBook on DynamoDB."""

    def __init__(self, clients: AwsClients, tables: PortalTables) -> None:
        self._client: Any = clients.dynamodb
        self._tables = tables
        self._trainings = ItemTable(clients, tables.trainings, "training_id")

    def read_training(self, training_id: str) -> Item | None:
        """See the port."""
        return _plain(self._trainings.read_item(training_id) or None)

    def create_training(self, item: Item) -> Item | None:
        """See the port."""
        written = self._trainings.put_if(_item(item), ConditionExpression="attribute_not_exists(training_id)")
        if written.is_done:
            return None
        return _plain(written.item) if written.item else self.read_training(item["training_id"])

    def change_training(self, training_id: str, changes: Item, *, before: Item) -> bool:
        """See the port; a repeat by the SDK finds its own effect, and says no: the caller reads and sees it done."""
        if not changes:
            return True
        names = {f"#n{place}": name for place, name in enumerate(changes)}
        values: dict[str, Any] = {}
        conditions = ["attribute_exists(training_id)"]
        for place, (name, value) in enumerate(changes.items()):
            values[f":a{place}"] = _TO.serialize(value)
            if name in before:
                values[f":b{place}"] = _TO.serialize(before[name])
                conditions.append(f"#n{place} = :b{place}")
            else:
                conditions.append(f"attribute_not_exists(#n{place})")
        written = self._trainings.update_if(
            training_id,
            UpdateExpression="SET " + ", ".join(f"#n{place} = :a{place}" for place in range(len(changes))),
            ConditionExpression=" AND ".join(conditions),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
        return written.is_done

    def find_trainings(self, *, job_name: str) -> Sequence[Item]:
        """See the port; a scan, since the portal has no index on either name (job events are few)."""
        items = self._trainings.scan_items(
            ProjectionExpression="training_id, training_job_name, compilation_jobs",
            FilterExpression="training_job_name = :name OR attribute_exists(compilation_jobs)",
            ExpressionAttributeValues={":name": {"S": job_name}},
        )
        plain = [one for item in items if (one := _plain(item)) is not None]
        named = [one["training_id"] for one in plain if job_name in _job_names(one)]
        return [whole for training_id in named if (whole := self.read_training(training_id)) is not None]

    def write_model(self, item: Item) -> None:
        """See the port."""
        with translated("PutItem", f"{self._tables.models} ({item['model_id']})"):
            self._client.put_item(TableName=self._tables.models, Item=_item(item))


class DynamoDbUseCaseBook:
    """UseCaseBook on DynamoDB."""

    def __init__(self, clients: AwsClients, tables: PortalTables) -> None:
        self._client: Any = clients.dynamodb
        self._tables = tables

    def read_use_case(self, use_case_id: str) -> UseCase | None:
        """See the port."""
        with translated("GetItem", f"{self._tables.use_cases} ({use_case_id})"):
            answer = self._client.get_item(TableName=self._tables.use_cases, Key=_item({"usecase_id": use_case_id}))
        item = _plain(answer.get("Item"))
        if item is None:
            return None
        missing = [name for name in ("s3_bucket", "sagemaker_execution_role_arn") if not item.get(name)]
        if missing:
            raise InputError(f"The use case {use_case_id} has no {' and no '.join(missing)}: complete its item")
        return UseCase(
            use_case_id=use_case_id,
            bucket=item["s3_bucket"],
            execution_role_arn=item["sagemaker_execution_role_arn"],
            role_arn=item.get("cross_account_role_arn") or None,
            external_id=item.get("external_id") or None,
            region=item.get("region") or None,
            prefix=item.get("layout_prefix", ""),
        )

    def is_assigned(self, user_id: str, use_case_id: str) -> bool:
        """See the port."""
        key = _item({"user_id": user_id, "usecase_id": use_case_id})
        with translated("GetItem", f"{self._tables.user_roles} ({user_id}, {use_case_id})"):
            return "Item" in self._client.get_item(TableName=self._tables.user_roles, Key=key)


def _item(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _TO.serialize(value) for name, value in values.items()}


def _plain(item: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if item is None else {name: _whole(_FROM.deserialize(value)) for name, value in item.items()}


def _whole(value: Any) -> Any:
    """Whole numbers as int, binaries as bytes; others stay Decimal, so that they can be written back as they were."""
    if isinstance(value, Binary):
        return bytes(value.value)  # type: ignore[attr-defined]  # the stubs lack it
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return value


def _job_names(item: Item) -> set[str]:
    jobs = {str(job.get("compilation_job_name")) for job in item.get("compilation_jobs", [])}
    return jobs | {str(item.get("training_job_name"))}
