"""Which IAM permission a call needs, as a refusal names it: the action of IAM is often not the name of the call."""

_OF_OBJECTS = {
    "HeadObject": "s3:GetObject, and s3:ListBucket, without which S3 cannot say that a key is absent",
    "HeadBucket": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "GetObjectTagging": "s3:GetObjectTagging and s3:GetObjectVersionTagging",
    "CopyObject": (
        "s3:GetObject and s3:GetObjectTagging on the source, s3:PutObject and s3:PutObjectTagging on the target"
    ),
    "UploadPartCopy": "s3:GetObject on the source and s3:PutObject on the target",
    "CreateMultipartUpload": "s3:PutObject and s3:PutObjectTagging",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListParts": "s3:ListMultipartUploadParts",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "DeleteObject": "s3:DeleteObject",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
}
_OF_OTHERS = {
    "TransactWriteItems": "dynamodb:PutItem, dynamodb:UpdateItem and dynamodb:ConditionCheckItem",
    "SendMessageBatch": "sqs:SendMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "StartMessageMoveTask": (
        "sqs:StartMessageMoveTask, sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on the dead-letter "
        "queue, sqs:SendMessage on its queue"
    ),
}
_SAME_NAME = {
    "dynamodb": (
        "BatchGetItem DescribeStream DescribeTable GetItem GetRecords GetShardIterator PutItem Query Scan UpdateItem"
    ),
    "sqs": "GetQueueAttributes GetQueueUrl ListMessageMoveTasks ReceiveMessage",
    "events": "DescribeEventBus DescribeRule PutEvents PutRule PutTargets",
    "lambda": "GetFunctionConfiguration ListEventSourceMappings UpdateEventSourceMapping",
    "cloudformation": "DescribeStackResources",
}
_NEEDED = {
    **{call: f"{service}:{call}" for service, calls in _SAME_NAME.items() for call in calls.split()},
    **_OF_OBJECTS,
    **_OF_OTHERS,
}


def needed_for(action: str) -> str:
    """What to allow so that ``action``, AWS's name of the call, is not denied."""
    return _NEEDED.get(action, f"the permission for {action}")
