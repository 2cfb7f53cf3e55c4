"""An S3 Inventory report as S3 writes it: one file of rows, its manifest, and last the manifest's checksum."""

import gzip
import hashlib
import json
from typing import Any


def put_report(s3: Any, reports: str, rows: str, *, source: str, file: str, base: str) -> str:
    """Write a CSV report of ``source`` into the bucket ``reports``; its manifest's URI."""
    data = gzip.compress(rows.encode())
    manifest = json.dumps(
        {
            "sourceBucket": source,
            "destinationBucket": f"arn:aws:s3:::{reports}",
            "version": "2016-11-30",
            "creationTimestamp": "1795400000000",
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, Size, ETag",
            "files": [{"key": file, "size": len(data), "MD5checksum": md5_of(data)}],
        }
    ).encode()
    s3.put_object(Bucket=reports, Key=file, Body=data)
    s3.put_object(Bucket=reports, Key=f"{base}/manifest.json", Body=manifest)
    s3.put_object(Bucket=reports, Key=f"{base}/manifest.checksum", Body=md5_of(manifest).encode())
    return f"s3://{reports}/{base}/manifest.json"


def md5_of(body: bytes) -> str:
    """As S3 writes digests."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
