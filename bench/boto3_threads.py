"""A pool of threads with one boto3 client, as most people write it: ``boto3_threads.py BUCKET PREFIX TARGET``.

The keys come on standard input, one a line.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

THREADS = 16


def main(bucket: str, prefix: str, target: str) -> None:
    """Copy each key to the same place below the target."""
    client = boto3.client("s3", config=Config(max_pool_connections=THREADS, s3={"addressing_style": "path"}))

    def copy(key: str) -> None:
        source = {"Bucket": bucket, "Key": key}
        client.copy_object(Bucket=bucket, Key=target + key.removeprefix(prefix), CopySource=source)  # type: ignore[arg-type]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(copy, sys.stdin.read().splitlines()))


if __name__ == "__main__":
    main(*sys.argv[1:])
