"""Which IAM action each recorded call needs, and in which statement (Sid) of its function's role it stands.

From the Service Authorization Reference as aws-facts.md §2 quotes it: a copy needs the tagging permissions beside the
object's, HEAD shows an object's lock only to who may read it, and says 404 only to who may list the bucket.
"""

from collections.abc import Iterator, Mapping

from domain.runs.works import StageQueue
from tests.deployment.authorizations import demands_of
from tests.deployment.calls import Call

Need = tuple[str, str]
"""Sid and action."""

_READ = {"source": "ReadSource", "target": "WriteTarget"}
_LIST = {"source": "ListSource", "target": "ListTarget"}
_TABLE = {
    "inventory": "Checkpoints",
    "manifestStream": "Count",
    "resolver": "ReadRecords",
    "referenceEvents": "Journal",
    "lookingWork": "Runs",
    "removingWork": "Runs",
    "restoringWork": "Runs",
    "rewritingWork": "Runs",
}
_EXTRAS = {
    "(Tagging)": "s3:PutObjectTagging",
    "(ObjectLockMode)": "s3:PutObjectRetention",
    "(ObjectLockLegalHoldStatus)": "s3:PutObjectLegalHold",
    "(annotations)": "s3:PutObjectAnnotation",
}
_TARGET: Mapping[str, Need] = {
    "DeleteObject": ("MirrorDeletes", "s3:DeleteObject"),
    "ListParts": ("WriteTarget", "s3:ListMultipartUploadParts"),
    "AbortMultipartUpload": ("WriteTarget", "s3:AbortMultipartUpload"),
    **dict.fromkeys(
        ("CopyObject", "CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload"),
        ("WriteTarget", "s3:PutObject"),
    ),
}
_LOOK = {"GetBucketEncryption": "TargetEncryption"}
_BUCKET = {
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
}
_LOOKS = {"ReadSource": "LookSource", "ListSource": "FindSource", "WriteTarget": "LookTarget"}
_RENAMED = {
    "resolver": _LOOKS,
    "referenceEvents": _LOOKS,
    "rewritingWork": _LOOKS,
}
_LOOK_AT_SOURCE = ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning", "s3:GetBucketNotification")
_FIND_TARGET = {"s3:ListBucket": "ListTarget"}
_STAGE_WORK: Mapping[tuple[str, str], tuple[str, Mapping[str, str]]] = {
    ("lookingWork", "source"): ("ReadSource", {"s3:ListBucket": "FindSource"}),
    ("lookingWork", "target"): ("ReadTarget", _FIND_TARGET),
    ("removingWork", "source"): (
        "ReadSource",
        {
            **dict.fromkeys(_LOOK_AT_SOURCE, "LookAtSource"),
            "s3:DeleteObject": "CleanSource",
            "s3:DeleteObjectVersion": "ForgetVersions",
        },
    ),
    ("removingWork", "target"): ("ReadTarget", {**_FIND_TARGET, "s3:DeleteObject": "MirrorDeletes"}),
    ("restoringWork", "source"): (
        "RestoreSource",
        dict.fromkeys(("s3:ListBucket", "s3:ListBucketVersions"), "ListSource"),
    ),
    ("restoringWork", "target"): (
        "ReadTarget",
        {
            **_FIND_TARGET,
            **dict.fromkeys(("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"), "AbortCopies"),
        },
    ),
}
"""For a function of stage work and a bucket: the statement, and others by action."""
_REFERRERS = {"lookingWork": "ReadReferrers"}
_LISTS = (
    "greengrass:ListComponents",
    "greengrass:ListDeployments",
    "sagemaker:ListModels",
    "sagemaker:ListModelPackages",
)
_PINS = {
    ("glue", False): "ReadCatalog",
    ("greengrass", True): "ListComponents",
    ("greengrass", False): "ReadComponents",
    ("iot", False): "ReadThings",
    ("sagemaker", True): "ListModels",
    ("sagemaker", False): "ReadModels",
}
"""The statement for an action on what pins are looked for in, by its service and whether it lists."""
_ANNOTATIONS = ("GetObjectAnnotation", "ListObjectAnnotations", "PutObjectAnnotation")
_QUEUES: Mapping[tuple[str, str], Need] = {
    ("SendMessageBatch", "backfill"): ("SendBackfill", "sqs:SendMessage"),
    ("SendMessageBatch", "events"): ("Renew", "sqs:SendMessage"),
    ("SendMessageBatch", "inventory"): ("Continue", "sqs:SendMessage"),
    ("GetQueueAttributes", "backfill"): ("Backlog", "sqs:GetQueueAttributes"),
    ("GetQueueUrl", "unnamed"): ("SendLost", "sqs:GetQueueUrl"),
    **{("SendMessageBatch", one.value): ("Continue", "sqs:SendMessage") for one in StageQueue},
    **{("GetQueueAttributes", one.value): ("Consume", "sqs:GetQueueAttributes") for one in StageQueue},
    **{("SendMessageBatch", f"{one}-dead"): ("SendLost", "sqs:SendMessage") for one in StageQueue},
    **{("GetQueueAttributes", f"{one}-dead"): ("SendLost", "sqs:GetQueueAttributes") for one in StageQueue},
}
_CONSUME = ("Consume", "sqs:ChangeMessageVisibility")
BY_SERVICES: Mapping[Need, str] = {
    ("Consume", "sqs:ReceiveMessage"): "Lambda's event source mapping",
    ("Consume", "sqs:DeleteMessage"): "Lambda's event source mapping",
    ("Consume", "sqs:GetQueueAttributes"): "Lambda's event source mapping",
    ("ReadStream", "dynamodb:DescribeStream"): "Lambda's event source mapping",
    ("ReadStream", "dynamodb:GetRecords"): "Lambda's event source mapping",
    ("ReadStream", "dynamodb:GetShardIterator"): "Lambda's event source mapping",
    ("ReadStream", "dynamodb:ListStreams"): "Lambda's event source mapping",
    ("Gap", "sqs:SendMessage"): "Lambda's event source mapping, of a batch that expired",
    ("WriteLog", "logs:CreateLogStream"): "Lambda's logging",
    ("WriteLog", "logs:PutLogEvents"): "Lambda's logging",
    ("Trace", "xray:PutTraceSegments"): "X-Ray, of sampled invocations",
    ("Trace", "xray:PutTelemetryRecords"): "X-Ray, of sampled invocations",
    ("Stack", "cloudformation:DescribeStacks"): "AWS's command line, for the settings (docs/deploy.md)",
    ("ObjectKey", "kms:Decrypt"): "S3, of an object encrypted with that key (GetObject, UploadPartCopy)",
    ("ObjectKey", "kms:GenerateDataKey"): "S3, of an object encrypted with that key (CopyObject)",
    ("CarryVersions", "s3:DeleteObject"): "delete markers, where the rules file has versions: all",
    **{
        (sid, action): "verify and doctor, where the rules file has versions: all"
        for sid in ("SourceVersions", "TargetVersions")
        for action in ("s3:GetObjectVersion", "s3:ListBucketVersions")
    },
    **{(sid, "s3:PutObjectAcl"): "S3, of a copy with an ACL" for sid in ("GrantControl", "GrantProbes", "GrantSource")},
}
"""What a function's own code never calls."""


def needs_of(call: Call, *, kind: str, function: str) -> Iterator[Need]:
    """The permissions that the call needs; ``kind`` says what its resource is. Raises LookupError for a new call."""
    if call.service in ("glue", "greengrassv2", "sagemaker", "sts"):
        yield from _pin_needs(call)
    elif call.service in ("dynamodb", "dynamodbstreams"):
        yield _table_statement(call, kind, function), f"dynamodb:{call.operation}"
    elif call.service == "events":
        yield "Publish", f"events:{call.operation}"
    elif call.service == "sqs":
        yield _CONSUME if call.operation == "ChangeMessageVisibilityBatch" else _QUEUES[call.operation, kind]
    elif kind == "reports":
        yield "ReadReports", f"s3:{call.operation}"
    elif kind == "segments":
        yield from _segment_needs(call)
    elif (function, kind) in _STAGE_WORK:
        sid, others = _STAGE_WORK[function, kind]
        yield from ((others.get(action, sid), action) for action, _ in demands_of(call))
    elif function in _RENAMED:
        yield from ((_RENAMED[function].get(sid, sid), action) for sid, action in _object_needs(call, kind))
    else:
        yield from _object_needs(call, kind)


def _table_statement(call: Call, kind: str, function: str) -> str:
    if kind == "referring":
        return _REFERRERS.get(function, "Referrers")
    if kind == "stream":
        return "ReadStream"
    is_together = call.operation.startswith("PartiQL") or call.operation == "BatchGetItem"
    return _TABLE.get(function, "WriteRecordsTogether" if is_together else "WriteRecords")


def _pin_needs(call: Call) -> Iterator[Need]:
    if call.service == "sts":
        yield "AskForPins", f"sts:{call.operation}"
    for action, _ in demands_of(call):
        yield _PINS[action.partition(":")[0], action in _LISTS], action


def _segment_needs(call: Call) -> Iterator[Need]:
    if call.operation in ("ListObjectsV2", "HeadObject", "GetObject"):
        yield "ListSegments", "s3:ListBucket"
    if call.operation in ("HeadObject", "GetObject"):
        yield "Segments", "s3:GetObject"
    if call.operation == "PutObject":
        yield "Segments", "s3:PutObject"


def _object_needs(call: Call, kind: str) -> Iterator[Need]:
    name, _, extra = call.operation.partition(" ")
    if extra == "(source)":
        yield from _reading(kind, call.with_version)
        if name == "CopyObject":
            yield from _tagging(kind, call.with_version)
            yield "WriteTarget", "s3:PutObjectTagging"
    elif extra == "(source annotations)":
        yield _READ[kind], "s3:GetObjectAnnotation"
    elif extra:
        yield "WriteTarget", _EXTRAS[extra]
    elif name in _TARGET:
        yield _TARGET[name]
    elif name == "HeadObject":
        yield from _reading(kind, call.with_version)
        yield _READ[kind], "s3:GetObjectRetention"
        yield _READ[kind], "s3:GetObjectLegalHold"
        yield _LIST[kind], "s3:ListBucket"
    elif name == "GetObjectTagging":
        yield from _tagging(kind, call.with_version)
    elif name in _ANNOTATIONS:
        yield _READ[kind], f"s3:{name}"
    elif name in _BUCKET:
        yield _LOOK.get(name, _LIST[kind]), _BUCKET[name]
    else:
        raise LookupError(f"{call}: say in tests/deployment/permissions.py which permission it needs")


def _reading(kind: str, with_version: bool) -> Iterator[Need]:
    yield _READ[kind], "s3:GetObject"
    if with_version:
        yield _READ[kind], "s3:GetObjectVersion"


def _tagging(kind: str, with_version: bool) -> Iterator[Need]:
    yield _READ[kind], "s3:GetObjectTagging"
    if with_version:
        yield _READ[kind], "s3:GetObjectVersionTagging"
