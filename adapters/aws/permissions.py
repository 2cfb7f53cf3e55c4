"""The IAM permission that a call needs; IAM's action often differs from the name of the call."""

_OR_PROMISE = "; or, if no object has annotations, write `annotations: none` under `source` in the rules file"
_FOR_ACL = " (and s3:PutObjectAcl, where the rules file has an `acl`)"
_OF_OBJECTS = {
    "HeadObject": "s3:GetObject, and s3:ListBucket, without which S3 cannot say that a key is absent",
    "HeadBucket": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "GetObjectTagging": "s3:GetObjectTagging and s3:GetObjectVersionTagging",
    "CopyObject": (
        "s3:GetObject, s3:GetObjectTagging and s3:GetObjectAnnotation on the source, s3:PutObject, s3:PutObjectTagging "
        f"and s3:PutObjectAnnotation on the target{_FOR_ACL}{_OR_PROMISE}"
    ),
    "ListObjectAnnotations": f"s3:ListObjectAnnotations{_OR_PROMISE}",
    "GetObjectAnnotation": f"s3:GetObjectAnnotation{_OR_PROMISE}",
    "PutObjectAnnotation": f"s3:PutObjectAnnotation{_OR_PROMISE}",
    "UploadPartCopy": "s3:GetObject on the source and s3:PutObject on the target",
    "CreateMultipartUpload": f"s3:PutObject and s3:PutObjectTagging{_FOR_ACL}",
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
    "GetBucketEncryption": (
        "s3:GetEncryptionConfiguration on the target bucket; or set KEYSHIFT_ENCRYPTED_TARGETS to true or false"
    ),
    "GetBucketOwnershipControls": "s3:GetBucketOwnershipControls",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
}
_OF_OTHERS = {
    "BatchExecuteStatement": "dynamodb:PartiQLInsert and dynamodb:PartiQLUpdate",
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
        "BatchGetItem CreateTable DeleteTable DescribeStream DescribeTable GetItem GetRecords GetShardIterator PutItem "
        "Query Scan UpdateItem"
    ),
    "sqs": (
        "CreateQueue DeleteMessage DeleteQueue GetQueueAttributes GetQueueUrl ListMessageMoveTasks ReceiveMessage "
        "SetQueueAttributes"
    ),
    "events": (
        "CreateEventBus DeleteEventBus DeleteRule DescribeEventBus DescribeRule PutEvents PutRule PutTargets "
        "RemoveTargets"
    ),
    "s3": "CreateBucket DeleteBucket PutBucketPolicy PutBucketVersioning PutObjectTagging",
    "lambda": "GetFunctionConfiguration ListEventSourceMappings UpdateEventSourceMapping",
    "cloudformation": "DescribeStackResources",
    "cognito-idp": "DescribeUserPool DescribeUserPoolClient ListUserPoolClients",
}
_NEEDED = {
    **{call: f"{service}:{call}" for service, calls in _SAME_NAME.items() for call in calls.split()},
    **_OF_OBJECTS,
    **_OF_OTHERS,
}


def needed_for(action: str) -> str:
    """The permission for ``action``, AWS's name of the call."""
    return _NEEDED.get(action, f"the permission for {action}")
