"""The floor: how little client CPU claim, conditional copy and conditional commit need with the standard library alone.

``floor.py WORK BUCKET PREFIX TARGET ETAG TABLE``, with the keys on standard input. ``WORK`` is ``protocol`` (claims and
commits in batches of 25, and copies) or ``copies`` (the copies alone).

It is a measuring stick: nothing is retried, and whatever is refused ends it. It knows keys that need no escaping only.
"""

import hashlib
import hmac
import http.client
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

THREADS = 16
BATCH = 25
"""The most statements that BatchExecuteStatement takes."""
NO_BODY = hashlib.sha256(b"").hexdigest()
DYNAMODB = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.BatchExecuteStatement"}
CLAIMED = ("pk", "bucket", "key", "target_bucket", "target_key", "state", "mode", "rule", "rules_digest", "token")
CLAIM = 'INSERT INTO "{}" VALUE {{' + ", ".join(f"'{name}': ?" for name in CLAIMED) + ", 'deadline': ?, 'revision': ?}}"
COMMIT = (
    'UPDATE "{}" SET state=? SET source_etag=? SET target_etag=? SET changed_at=? SET revision=? '
    "REMOVE token REMOVE deadline WHERE pk=? AND revision=? AND token=?"
)


@dataclass(frozen=True)
class Signer:
    """Signature version 4 with one derived key for each day and service."""

    access_key: str
    secret_key: str
    region: str
    _keys: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def signed(self, service: str, method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """The headers, with a signature over all of them."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = hashlib.sha256(body).hexdigest() if body else NO_BODY
        all_headers = {**headers, "x-amz-content-sha256": digest, "x-amz-date": now}
        names = sorted(all_headers)
        listed = ";".join(names)
        lines = "".join(f"{name}:{all_headers[name]}\n" for name in names)
        request = hashlib.sha256(f"{method}\n{path}\n\n{lines}\n{listed}\n{digest}".encode()).hexdigest()
        scope = f"{now[:8]}/{self.region}/{service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{request}".encode()
        signature = hmac.new(self._key(now[:8], service), text, "sha256").hexdigest()
        credential = f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}"
        all_headers["authorization"] = f"{credential}, SignedHeaders={listed}, Signature={signature}"
        return all_headers

    def _key(self, day: str, service: str) -> bytes:
        if (day, service) not in self._keys:
            key = b"AWS4" + self.secret_key.encode()
            for part in (day, self.region, service, "aws4_request"):
                key = hmac.new(key, part.encode(), "sha256").digest()
            self._keys[day, service] = key
        return self._keys[day, service]


class Floor:
    """Every thread keeps one connection."""

    def __init__(self, bucket: str, prefix: str, target: str, etag: str, table: str) -> None:
        self._bucket, self._prefix, self._target, self._etag, self._table = bucket, prefix, target, etag, table
        self._place = urlsplit(os.environ["AWS_ENDPOINT_URL"])
        access, secret, region = (
            os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
        )
        self._signer = Signer(access, secret, region)
        self._thread = threading.local()

    def protocol(self, keys: Sequence[str]) -> None:
        """Claim the keys, copy each, commit them."""
        ids = [hashlib.sha256(f"{self._target}{key}".encode()).hexdigest() for key in keys]
        token = uuid.uuid4().hex
        self._execute(CLAIM, [self._claim(one, key, token) for one, key in zip(ids, keys, strict=True)])
        self.copies(keys)
        self._execute(COMMIT, [self._commit(one, token) for one in ids])

    def copies(self, keys: Sequence[str]) -> None:
        """CopyObject with a condition at the source and one at the target."""
        for key in keys:
            headers = {
                "host": self._place.netloc,
                "if-none-match": "*",
                "x-amz-copy-source": f"/{self._bucket}/{key}",
                "x-amz-copy-source-if-match": f'"{self._etag}"',
                "x-amz-metadata-directive": "COPY",
                "x-amz-storage-class": "STANDARD",
            }
            self._send("s3", "PUT", f"/{self._bucket}/{self._target_of(key)}", headers, b"")

    def _target_of(self, key: str) -> str:
        return self._target + key.removeprefix(self._prefix)

    def _claim(self, record_id: str, key: str, token: str) -> list[dict[str, str]]:
        texts = (
            record_id,
            self._bucket,
            key,
            self._bucket,
            self._target_of(key),
            "NEW",
            "FORWARD",
            "a",
            "x" * 64,
            token,
        )
        return [*({"S": text} for text in texts), {"N": str(time.time() + 60)}, {"N": "1"}]

    def _commit(self, record_id: str, token: str) -> list[dict[str, str]]:
        texts = [{"S": text} for text in ("COPIED", self._etag, self._etag)]
        return [*texts, {"N": str(time.time())}, {"N": "2"}, {"S": record_id}, {"N": "1"}, {"S": token}]

    def _execute(self, statement: str, parameters: Sequence[list[dict[str, str]]]) -> None:
        text = statement.format(self._table)
        many = [
            {"Statement": text, "Parameters": one, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
            for one in parameters
        ]
        body = json.dumps({"Statements": many}, separators=(",", ":")).encode()
        answer = self._send("dynamodb", "POST", "/", {"host": self._place.netloc, **DYNAMODB}, body)
        refused = [one["Error"] for one in json.loads(answer)["Responses"] if "Error" in one]
        if refused:
            raise SystemExit(f"a statement was refused: {refused[0]}")

    def _send(self, service: str, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        connection: http.client.HTTPConnection | None = getattr(self._thread, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._place.hostname or "", self._place.port)
            self._thread.connection = connection
        connection.request(method, path, body or None, self._signer.signed(service, method, path, headers, body))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content


def main(work: str, *place: str) -> None:
    """Work the keys off in batches."""
    floor = Floor(*place)
    keys = sys.stdin.read().splitlines()
    batches = [keys[first : first + BATCH] for first in range(0, len(keys), BATCH)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(floor.protocol if work == "protocol" else floor.copies, batches))


if __name__ == "__main__":
    main(*sys.argv[1:])
