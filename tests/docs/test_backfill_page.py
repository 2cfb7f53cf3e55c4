"""The inventory that docs/backfill.md shows is one that S3 takes."""

import json
import re
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from tests.docs.citing import ROOT

PAGE = (ROOT / "docs" / "backfill.md").read_text(encoding="utf-8")
RULES_OUT_A_HEAD = {"EncryptionStatus", "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"}


def test_the_inventory_shown_is_valid_and_saves_requests() -> None:
    """By the SDK's own model; with the fields that docs/plan.md says rule out a KMS key and a lock."""
    found = re.search(r"--inventory-configuration '([^']+)'", PAGE)
    assert found
    configuration = json.loads(found[1])
    operation = (
        botocore.session.get_session().get_service_model("s3").operation_model("PutBucketInventoryConfiguration")
    )
    given = {"Bucket": "line-1", "Id": configuration["Id"], "InventoryConfiguration": configuration}
    shape: Any = operation.input_shape
    report = ParamValidator().validate(given, shape)
    assert not report.has_errors(), report.generate_report()
    fields = shape.members["InventoryConfiguration"].members["OptionalFields"].member.enum
    assert set(configuration["OptionalFields"]) <= set(fields)
    assert set(configuration["OptionalFields"]) >= RULES_OUT_A_HEAD | {
        "Size",
        "ETag",
        "StorageClass",
        "LastModifiedDate",
    }
