"""What doctor and status ask AWS about a migration's parts; reads only."""

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, translated
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.s3.requests import Owners
from adapters.s3.versions import NO_VERSION
from domain.keys import Location
from domain.lifecycle.inspection import BucketFacts, QueueFacts
from domain.lifecycle.stages import StageEntry

_TRIED = 3
"""Objects to try: the first one may be deleted meanwhile."""
_VERSIONS = 1_000
"""Versions among which an earlier one is looked for: one page of a listing."""
_LOOKED_AT = 20
"""Objects whose encryption is looked at."""


class AwsInspector:
    """Inspector over S3, DynamoDB, SQS, EventBridge and STS."""

    def __init__(self, clients: AwsClients, owners: Owners) -> None:
        self._clients = clients
        self._owners = owners

    def bucket(self, name: str) -> BucketFacts:
        """See the port."""
        s3 = self._clients.s3
        with translated("ListObjectsV2", f"s3://{name}"):
            owner: Any = self._owners.of(Location(name, ""))
            answer = s3.list_objects_v2(Bucket=name, MaxKeys=1, **owner)
        with translated("GetBucketVersioning", f"s3://{name}"):
            versioning = s3.get_bucket_versioning(Bucket=name).get("Status", "Off")
        with translated("GetBucketNotificationConfiguration", f"s3://{name}"):
            sends: Mapping[str, Any] = s3.get_bucket_notification_configuration(Bucket=name)
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        kinds = (
            "EventBridgeConfiguration",
            "QueueConfigurations",
            "TopicConfigurations",
            "LambdaFunctionConfigurations",
        )
        served = tuple(kind for kind in kinds if kind in sends and (sends[kind] or kind == kinds[0]))
        return BucketFacts(versioning, served, parsedate_to_datetime(date).timestamp() if date else 0.0)

    def lifecycle(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """See the port."""
        with translated("GetBucketLifecycleConfiguration", f"s3://{name}"), accepting("NoSuchLifecycleConfiguration"):
            answer: Mapping[str, Any] = self._clients.s3.get_bucket_lifecycle_configuration(Bucket=name)
            return tuple(one for one in answer.get("Rules", []) if one.get("Status") == "Enabled")
        return ()

    def can_read(self, location: Location) -> None:
        """See the port."""
        from adapters.s3.object_store import S3ObjectStore

        S3ObjectStore(self._clients, owners=self._owners).look_at_object(location, with_tags=True)

    def can_read_annotations(self, bucket: str, prefix: str) -> bool:
        """See the port."""
        from adapters.s3.annotation_store import S3AnnotationStore
        from adapters.s3.listing import S3ObjectListing

        store = S3AnnotationStore(self._clients, owners=self._owners)
        some = islice(S3ObjectListing(self._clients, owners=self._owners).list_objects(bucket, prefix=prefix), _TRIED)
        return any(store.list_annotations(Location(bucket, one.key)) is not None for one in some)

    def can_read_versions(self, bucket: str, prefix: str) -> bool:
        """See the port."""
        from adapters.s3.object_store import S3ObjectStore
        from adapters.s3.version_listing import S3VersionListing

        listed = S3VersionListing(self._clients, owners=self._owners).list_versions(bucket, prefix=prefix)
        earlier = (one for one in islice(listed, _VERSIONS) if not one.is_latest and not one.is_marker)
        store = S3ObjectStore(self._clients, owners=self._owners)
        for one in islice(earlier, _TRIED):
            if store.look_at_object(Location(bucket, one.key), version_id=one.version_id or NO_VERSION, with_tags=True):
                return True
        return False

    def kms_keys(self, bucket: str, prefix: str) -> frozenset[str]:
        """See the port."""
        from adapters.s3.listing import S3ObjectListing
        from adapters.s3.object_store import S3ObjectStore

        store = S3ObjectStore(self._clients, owners=self._owners)
        listed = S3ObjectListing(self._clients, owners=self._owners).list_objects(bucket, prefix=prefix)
        seen = (store.look_at_object(Location(bucket, one.key)) for one in islice(listed, _LOOKED_AT))
        used = (one.encryption for one in seen if one is not None)
        return frozenset(one.kms_key_id for one in used if one.is_kms and one.kms_key_id is not None)

    def is_of_account(self, bucket: str, account: str) -> bool:
        """See the port; for a bucket of another account S3 answers 403."""
        with translated("HeadBucket", f"s3://{bucket}"), accepting("403", "AccessDenied"):
            self._clients.s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
            return True
        return False

    def ownership(self, bucket: str) -> str:
        """See the port; a bucket that has never had the setting behaves as ObjectWriter."""
        owner: Any = self._owners.of_settings(bucket)
        with translated("GetBucketOwnershipControls", f"s3://{bucket}"), accepting("OwnershipControlsNotFoundError"):
            answer = self._clients.s3.get_bucket_ownership_controls(Bucket=bucket, **owner)
            return str(answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"])
        return "ObjectWriter"

    def table_stream(self, table: str) -> str:
        """See the port."""
        with translated("DescribeTable", table):
            about = self._clients.dynamodb.describe_table(TableName=table)["Table"]
        return str(about.get("StreamSpecification", {}).get("StreamViewType", ""))

    def stage_of(self, table: str) -> StageEntry:
        """See the port."""
        return DynamoDbStageBook(self._clients, table).read_stage()

    def queue(self, url: str) -> QueueFacts:
        """See the port."""
        with translated("GetQueueAttributes", url):
            about = self._clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        redrive = json.loads(about.get("RedrivePolicy") or "{}")
        return QueueFacts(
            int(about.get("VisibilityTimeout", 30)),
            int(about.get("MessageRetentionPeriod", 345_600)),
            str(redrive.get("deadLetterTargetArn", "")),
            int(redrive.get("maxReceiveCount", 0)),
        )

    def bus(self, name: str) -> None:
        """See the port."""
        with translated("DescribeEventBus", name):
            self._clients.events.describe_event_bus(Name=name)

    def identity(self) -> str:
        """See the port."""
        with translated("GetCallerIdentity", "the credentials"):
            return self._clients.sts.get_caller_identity()["Arn"]
