"""Which IAM actions, on which ARNs, a command's recorded call must be allowed.

From the Service Authorization Reference, as aws-facts.md §2 quotes it for S3. Where a service looks further in the
caller's name (SQS when it moves letters), that is asked for too.
"""

from collections.abc import Iterator, Mapping

from adapters.standin.process import REGION
from tests.deployment.calls import Call

Demand = tuple[str, str]
"""Action and ARN."""

ACCOUNT = "000000000000"
_WRITES = frozenset(
    {"PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
)
_EXTRAS = {
    "(Tagging)": "s3:PutObjectTagging",
    "(ObjectLockMode)": "s3:PutObjectRetention",
    "(ObjectLockLegalHoldStatus)": "s3:PutObjectLegalHold",
    "(annotations)": "s3:PutObjectAnnotation",
    "(source annotations)": "s3:GetObjectAnnotation",
}
_OBJECT = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListParts": "s3:ListMultipartUploadParts",
    "GetObjectAnnotation": "s3:GetObjectAnnotation",
    "ListObjectAnnotations": "s3:ListObjectAnnotations",
    "PutObjectAnnotation": "s3:PutObjectAnnotation",
    "RestoreObject": "s3:RestoreObject",
}
_BUCKET = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetBucketOwnershipControls": "s3:GetBucketOwnershipControls",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketRequestPayment": "s3:GetBucketRequestPayment",
}
_MOVES = {
    "StartMessageMoveTask": ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
    "ListMessageMoveTasks": ("ListMessageMoveTasks", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
}
_WITHOUT_RESOURCE = frozenset(
    {
        *("lambda:ListEventSourceMappings", "lambda:GetAccountSettings"),
        *("events:ListRuleNamesByTarget", "events:ListRules"),
        *("greengrass:ListComponents", "greengrass:ListDeployments"),
        *("sagemaker:ListModels", "sagemaker:ListModelPackages"),
    }
)
_THINGS: tuple[Demand, ...] = tuple(
    (f"iot:{action}", f"arn:aws:iot:{REGION}:{ACCOUNT}:{kind}/*")
    for action, kind in (
        ("DescribeJob", "job"),
        ("DescribeThing", "thing"),
        ("DescribeThingGroup", "thinggroup"),
        ("GetThingShadow", "thing"),
    )
)
"""What GetDeployment and ListDeployments of Greengrass ask in the caller's name."""


def demands_of(call: Call) -> Iterator[Demand]:
    """Raises LookupError for a call that nobody has said this of."""
    if call.service == "sts":  # GetCallerIdentity: everybody may
        return
    if call.service == "s3":
        yield from _of_s3(call)
    elif call.service == "dynamodb":
        table = _arn("dynamodb", f"table/{call.resource}")
        yield f"dynamodb:{call.operation}", f"{table}/index/{call.name}" if call.operation == "Query" else table
    elif call.service == "sqs":
        yield from _of_sqs(call)
    else:
        yield from _of_others(call)


def _of_s3(call: Call) -> Iterator[Demand]:
    name, _, extra = call.operation.partition(" ")
    bucket = f"arn:aws:s3:::{call.resource}"
    place = f"{bucket}/{call.name}"
    if name in _BUCKET:
        yield _BUCKET[name], bucket
    elif extra == "(source)" or name in ("GetObject", "HeadObject", "GetObjectTagging"):
        yield from _reading(name, extra, bucket, place, with_version=call.with_version)
    elif extra:
        yield _EXTRAS[extra], place
    elif name in _WRITES:
        yield "s3:PutObject", place
        if name == "CopyObject":
            yield "s3:PutObjectTagging", place
    elif name == "DeleteObject":
        yield "s3:DeleteObjectVersion" if call.with_version else "s3:DeleteObject", place
    elif name in _OBJECT:
        yield _OBJECT[name], place
    else:
        raise LookupError(f"{call}: say in tests/deployment/authorizations.py what it must be allowed")


def _reading(name: str, extra: str, bucket: str, place: str, *, with_version: bool) -> Iterator[Demand]:
    if name != "GetObjectTagging":
        yield "s3:GetObject", place
        if with_version:
            yield "s3:GetObjectVersion", place
    if name == "GetObjectTagging" or (name == "CopyObject" and extra):
        yield "s3:GetObjectTagging", place
        if with_version:
            yield "s3:GetObjectVersionTagging", place
    if name == "HeadObject":
        yield "s3:GetObjectRetention", place
        yield "s3:GetObjectLegalHold", place
    if name == "HeadObject":  # without it S3 answers 403 for an absent object, which proves nothing
        yield "s3:ListBucket", bucket


def _of_sqs(call: Call) -> Iterator[Demand]:
    if call.operation in _MOVES:
        yield from ((f"sqs:{one}", call.name) for one in _MOVES[call.operation])
        if call.operation == "StartMessageMoveTask":
            yield "sqs:SendMessage", call.name.removesuffix("-dead")
        return
    queue = call.name if call.operation == "GetQueueUrl" else call.resource.rpartition("/")[2]
    yield f"sqs:{call.operation.removesuffix('Batch')}", _arn("sqs", queue)


def _of_others(call: Call) -> Iterator[Demand]:
    service = {"greengrassv2": "greengrass"}.get(call.service, call.service)
    action, name = f"{service}:{call.operation}", call.name
    if action in ("greengrass:ListDeployments", "greengrass:GetDeployment"):
        yield from _THINGS
    if call.service == "glue":
        yield from ((action, _arn("glue", one)) for one in ("catalog", "database/any", "table/any/any"))
        return
    if action in _WITHOUT_RESOURCE:
        yield action, "*"
        return
    places: Mapping[str, str] = {
        "events:DescribeEventBus": _arn("events", f"event-bus/{name}"),
        **dict.fromkeys(
            (f"events:{one}" for one in ("PutRule", "PutTargets", "DescribeRule", "RemoveTargets", "DeleteRule")),
            _arn("events", f"rule/{name}"),
        ),
        "lambda:GetFunctionConfiguration": _arn("lambda", f"function:{name}"),
        "lambda:UpdateEventSourceMapping": _arn("lambda", f"event-source-mapping:{name}"),
        "cloudformation:DescribeStackResources": _arn("cloudformation", f"stack/{name}/*"),
        "iam:GetRole": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "iam:SimulatePrincipalPolicy": name,
        "greengrass:ListComponentVersions": name,
        "greengrass:GetComponent": name,
        "greengrass:GetDeployment": _arn("greengrass", f"deployments:{name}"),
        "sagemaker:DescribeModel": _arn("sagemaker", f"model/{name}"),
        "sagemaker:DescribeModelPackage": name,
    }
    if action not in places:
        raise LookupError(f"{call}: say in tests/deployment/authorizations.py what it must be allowed")
    yield action, places[action]


def _arn(service: str, what: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{what}"
