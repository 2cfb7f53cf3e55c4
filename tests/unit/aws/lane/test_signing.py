"""Signatures are AWS's: its own published requests, and botocore's signer over generated ones."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.lane.signing import EMPTY_DIGEST, Signer, canonical_query

# awslabs/aws-c-auth, tests/aws-signing-test-suite/v4 (Apache-2.0), read at commit 495329c: the requests signed in a
# header, with the path as it is sent; those left out are signed with a path that is not the one sent, unlike S3's.
VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("aws_vectors.json").read_text())
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_published_request_gets_its_published_signature(vector: dict[str, Any]) -> None:
    """Spaces, order, letters beyond ASCII, session tokens, bodies."""
    signed = Signer("service", "us-east-1").authorization(
        vector["method"],
        vector["path"],
        vector["query"],
        [(name, text) for name, text in vector["headers"]],
        sha256(vector["body"].encode()).hexdigest(),
        access_key="AKIDEXAMPLE",
        secret_key=SECRET,
        moment="20150830T123600Z",
    )
    assert signed.rpartition("=")[2] == vector["signature"]


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
NAMES = st.from_regex(r"x-amz-[a-z]{1,8}", fullmatch=True).filter(lambda name: name != "x-amz-date")


@given(
    service=st.sampled_from(["s3", "dynamodb", "s3-outposts"]),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"]),
    key=st.text(max_size=20),
    pairs=st.lists(st.tuples(TEXTS, TEXTS), max_size=4),
    headers=st.dictionaries(NAMES, TEXTS, max_size=4),
    body=st.binary(max_size=30),
    token=st.none() | st.just("token/+="),
)
def test_botocore_signs_the_same(
    *,
    service: str,
    region: str,
    key: str,
    pairs: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
) -> None:
    """For any key, query, headers and body, with and without a session token."""
    try:
        path = "/" + quote(key, safe="/-._~")
    except UnicodeEncodeError:
        return
    is_s3 = service != "dynamodb"
    if not is_s3:
        path = "/"
    query = "&".join(f"{quote(name, safe='-._~')}={quote(text, safe='-._~')}" for name, text in pairs)
    request = AWSRequest("PUT", f"https://h.example{path}" + (f"?{query}" if query else ""), dict(headers), body)
    make = S3SigV4Auth if is_s3 else SigV4Auth
    make(Credentials("AKID", SECRET, token), service, region).add_auth(request)
    signed = {name.lower(): text for name, text in request.headers.items() if name.lower() != "authorization"}
    ours = Signer(service, region).authorization(
        "PUT",
        path,
        query,
        [*signed.items(), ("host", "h.example")],
        sha256(body).hexdigest() if body else EMPTY_DIGEST,
        access_key="AKID",
        secret_key=SECRET,
        moment=request.headers["X-Amz-Date"],
    )
    assert ours == request.headers["Authorization"]


def test_a_day_and_a_secret_have_a_key_of_their_own() -> None:
    """A worker runs for weeks, and its role's credentials change every hour."""
    kept = Signer("s3", "us-east-1")

    def signed(signer: Signer, secret: str, day: str) -> str:
        return signer.authorization(
            "GET", "/", "", [("host", "h")], EMPTY_DIGEST, access_key="A", secret_key=secret, moment=f"{day}T000000Z"
        )

    days = [("one", "20260101"), ("one", "20260102"), ("two", "20260102"), ("one", "20260101")]
    assert [signed(kept, *one) for one in days] == [signed(Signer("s3", "us-east-1"), *one) for one in days]
    assert len({signed(kept, *one) for one in days}) == 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("tagging", "tagging="),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1&a", "a=&a=1&a=2"),
        ("a-b=1&a=2", "a=2&a-b=1"),
    ],
)
def test_parameters_are_signed_in_order(query: str, expected: str) -> None:
    """By name, then by value."""
    assert canonical_query(query) == expected
