"""What ``doctor --stack`` asks AWS about a deployed stack; reads only."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, translated
from adapters.s3.bucket_encryption import default_algorithm
from domain.lifecycle.inspection import BucketRules, MappingFacts, TableFacts

_NO_SETTING = ("ObjectLockConfigurationNotFoundError", "ServerSideEncryptionConfigurationNotFoundError")


class DeployedStack:
    """StackInspector over CloudFormation, Lambda, DynamoDB, EventBridge, SQS, IAM, STS and S3."""

    def __init__(self, clients: AwsClients, name: str) -> None:
        self._clients = clients
        self.name = name

    @cached_property
    def resources(self) -> Mapping[str, str]:
        """See the port."""
        with translated("DescribeStackResources", self.name):
            answer = self._clients.client_of("cloudformation").describe_stack_resources(StackName=self.name)
        return {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in answer["StackResources"]}

    def mappings(self, function: str) -> Sequence[MappingFacts]:
        """See the port."""
        with translated("ListEventSourceMappings", function):
            pages = self._clients.functions.get_paginator("list_event_source_mappings").paginate(FunctionName=function)
            found = [one for page in pages for one in page["EventSourceMappings"]]
        return [
            MappingFacts(
                one.get("State", ""),
                "ReportBatchItemFailures" in one.get("FunctionResponseTypes", []),
                one.get("ScalingConfig", {}).get("MaximumConcurrency"),
                one.get("EventSourceArn", ""),
            )
            for one in found
        ]

    def time_out(self, function: str) -> int:
        """See the port."""
        with translated("GetFunctionConfiguration", function):
            answer = self._clients.functions.get_function_configuration(FunctionName=function)
        return int(answer["Timeout"])

    def concurrency(self) -> int:
        """See the port."""
        with translated("GetAccountSettings", "the account"):
            limits = self._clients.functions.get_account_settings()["AccountLimit"]
        return int(limits["UnreservedConcurrentExecutions"])

    def table(self, table: str) -> TableFacts:
        """See the port."""
        client = self._clients.dynamodb
        with translated("DescribeTable", table):
            about = client.describe_table(TableName=table)["Table"]
        with translated("DescribeContinuousBackups", table):
            backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        with translated("DescribeTimeToLive", table):
            expiry = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        return TableFacts(
            str(about.get("StreamSpecification", {}).get("StreamViewType", "")),
            recovery == "ENABLED",
            expiry.get("AttributeName", "") if expiry.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else "",
            bool(about.get("DeletionProtectionEnabled")),
        )

    def rule_state(self, rule: str) -> str:
        """See the port."""
        with translated("DescribeRule", rule):
            return str(self._clients.events.describe_rule(Name=rule)["State"])

    def senders(self, queue_url: str) -> Sequence[str]:
        """See the port."""
        with translated("GetQueueAttributes", queue_url):
            answer = self._clients.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["Policy"])
        policy = json.loads(answer.get("Attributes", {}).get("Policy") or "{}")
        return [json.dumps(one.get("Condition", {})) for one in policy.get("Statement", [])]

    def denied(self, role: str, actions: Sequence[str], resource: str, *, account: str) -> Sequence[str]:
        """See the port."""
        iam = self._clients.client_of("iam")
        with translated("GetRole", role):
            arn = iam.get_role(RoleName=role)["Role"]["Arn"]
        # A role may use KMS keys through S3 only, and delete only with If-Match.
        known = {"aws:ResourceAccount": account, "kms:ViaService": f"s3.{self.region()}.amazonaws.com"}
        known |= {"s3:if-match": '"etag"'}
        context: Any = [
            {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for name, value in known.items()
        ]
        with translated("SimulatePrincipalPolicy", role):
            # IAM may answer with a part of the results, however few they are.
            pages = iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=arn, ActionNames=list(actions), ResourceArns=[resource], ContextEntries=context
            )
            found = [one for page in pages for one in page["EvaluationResults"]]
        return [one["EvalActionName"] for one in found if one["EvalDecision"] != "allowed"]

    def account(self) -> str:
        """See the port."""
        with translated("GetCallerIdentity", "the credentials"):
            return self._clients.sts.get_caller_identity()["Account"]

    def region(self) -> str:
        """See the port."""
        return self._clients.sqs.meta.region_name

    def bucket(self, name: str) -> BucketRules:
        """See the port."""
        s3 = self._clients.s3
        lock = self._setting(name, "GetObjectLockConfiguration", s3.get_object_lock_configuration)
        encryption = self._setting(name, "GetBucketEncryption", s3.get_bucket_encryption)
        payment = self._setting(name, "GetBucketRequestPayment", s3.get_bucket_request_payment)
        configured = lock.get("ObjectLockConfiguration", {})
        retention = configured.get("Rule", {}).get("DefaultRetention", {})
        return BucketRules(
            str(retention.get("Mode", "")),
            default_algorithm(encryption),
            payment.get("Payer") == "Requester",
            configured.get("ObjectLockEnabled") == "Enabled",
        )

    @staticmethod
    def _setting(bucket: str, action: str, ask: Any) -> Mapping[str, Any]:
        with translated(action, f"s3://{bucket}"), accepting(*_NO_SETTING):
            answer: Mapping[str, Any] = ask(Bucket=bucket)
            return answer
        return {}
