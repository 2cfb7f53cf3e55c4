"""URIs are read to a location and written again in the form they had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.keys import Location, key_fault
from domain.references.uris import ObjectUri, UnusableUri, UriForm, read_uri, write_uri

NEW = Location("line-1", "new/ä b+c.tar")


@pytest.mark.parametrize(
    ("text", "key", "form", "written"),
    [
        ("s3://line-1/a//b c%20", "a//b c%20", UriForm.S3, "s3://line-1/new/ä b+c.tar"),
        ("S3://line-1/a", "a", UriForm.S3, "S3://line-1/new/ä b+c.tar"),
        (
            "HTTPS://line-1.S3.amazonaws.com/a\nb",
            "a\nb",
            UriForm.VIRTUAL_HOSTED,
            "HTTPS://line-1.S3.amazonaws.com/new/%C3%A4%20b%2Bc.tar",
        ),
        (
            "https://line-1.s3.amazonaws.com/a%2520b",
            "a%20b",
            UriForm.VIRTUAL_HOSTED,
            "https://line-1.s3.amazonaws.com/new/%C3%A4%20b%2Bc.tar",
        ),
        (
            "https://line-1.s3.eu-west-1.amazonaws.com/a=b",
            "a=b",
            UriForm.VIRTUAL_HOSTED,
            "https://line-1.s3.eu-west-1.amazonaws.com/new/%C3%A4%20b%2Bc.tar",
        ),
        (
            "https://line-1.s3.dualstack.eu-west-1.amazonaws.com/a",
            "a",
            UriForm.VIRTUAL_HOSTED,
            "https://line-1.s3.dualstack.eu-west-1.amazonaws.com/new/%C3%A4%20b%2Bc.tar",
        ),
        (
            "https://s3-us-west-2.amazonaws.com/line-1/a b",
            "a b",
            UriForm.PATH_STYLE,
            "https://s3-us-west-2.amazonaws.com/line-1/new/%C3%A4 b%2Bc.tar",
        ),
        (
            "http://s3.cn-north-1.amazonaws.com.cn/line-1/a",
            "a",
            UriForm.PATH_STYLE,
            "http://s3.cn-north-1.amazonaws.com.cn/line-1/new/%C3%A4%20b%2Bc.tar",
        ),
    ],
)
def test_each_form_is_decoded_once_and_written_again(text: str, key: str, form: UriForm, written: str) -> None:
    """Host, scheme and what the writer left unencoded stay; only bucket and key change."""
    uri = read_uri(text)
    assert isinstance(uri, ObjectUri)
    assert (uri.location, uri.form) == (Location("line-1", key), form)
    assert write_uri(uri, NEW) == written


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://line-1.s3.amazonaws.com/a?X-Amz-Signature=1", "presigned"),
        ("https://line-1.s3.amazonaws.com/a+b", "'+'"),
        ("https://line-1.s3.amazonaws.com/a%zz", "encodes nothing"),
        ("https://line-1.s3.amazonaws.com/%ff", "not UTF-8"),
        ("https://line-1.s3.amazonaws.com/a#b", "fragment"),
        ("https://s3.amazonaws.com/NO/a", "not a bucket name"),
        ("https://line-1.s3.amazonaws.com", "it names a bucket, not an object"),
        ("https://line-1.s3.amazonaws.com/", "it names a bucket, not an object"),
        ("s3://line-1", "not an object"),
        ("s3://Line_1/a", "not a bucket name"),
        ("s3://line-1/" + "k" * 1025, "S3 allows 1024"),
    ],
)
def test_what_cannot_be_rewritten_says_why(text: str, says: str) -> None:
    """It speaks of S3, and is left alone with a reason."""
    found = read_uri(text)
    assert isinstance(found, UnusableUri)
    assert says in found.reason


@pytest.mark.parametrize("text", ["", "hello", "https://example.com/a", "(s3://line-1/a)", "datasets/a"])
def test_other_texts_are_no_uris(text: str) -> None:
    """Whatever does not speak of S3 is nobody's business."""
    assert read_uri(text) is None


def test_a_bare_key_needs_its_bucket() -> None:
    """With a declared bucket a text is a key, and stays one."""
    uri = read_uri("old/a", bucket="line-1")
    assert isinstance(uri, ObjectUri)
    assert write_uri(uri, NEW) == NEW.key
    assert read_uri("", bucket="line-1") is None
    assert isinstance(write_uri(uri, Location("other", "a")), UnusableUri)


def test_another_region_must_be_known() -> None:
    """A host names the region of its bucket, so a new bucket needs its own."""
    uri = read_uri("https://line-1.s3.eu-west-1.amazonaws.com/a")
    assert isinstance(uri, ObjectUri)
    other = Location("line-2", "b")
    assert isinstance(write_uri(uri, other), UnusableUri)
    assert write_uri(uri, other, region="us-east-2") == "https://line-2.s3.us-east-2.amazonaws.com/b"


def test_a_host_without_a_region_serves_every_bucket_but_not_an_accelerated_one() -> None:
    """The global endpoint finds any bucket; transfer acceleration is switched on for each bucket by itself."""
    uri, other = read_uri("https://line-1.s3.amazonaws.com/a"), Location("line-2", "b")
    assert isinstance(uri, ObjectUri)
    assert write_uri(uri, other) == "https://line-2.s3.amazonaws.com/b"
    fast = read_uri("https://line-1.s3-accelerate.amazonaws.com/a")
    assert isinstance(fast, ObjectUri)
    assert write_uri(fast, Location("line-1", "b")) == "https://line-1.s3-accelerate.amazonaws.com/b"
    for region in (None, "us-east-2"):
        refused = write_uri(fast, other, region=region)
        assert isinstance(refused, UnusableUri)
        assert "transfer acceleration" in refused.reason


@given(key=st.text(min_size=1, max_size=40).filter(lambda key: key_fault(key) is None))
@pytest.mark.parametrize(
    "start", ["s3://line-1/a", "https://line-1.s3.amazonaws.com/a", "https://s3.amazonaws.com/line-1/a"]
)
def test_what_is_written_reads_as_the_same_place(start: str, key: str) -> None:
    """Encoding and decoding are each other's reverse, for any key."""
    uri = read_uri(start)
    assert isinstance(uri, ObjectUri)
    written = write_uri(uri, Location("line-1", key))
    assert isinstance(written, str)
    again = read_uri(written)
    assert isinstance(again, ObjectUri)
    assert again.location == Location("line-1", key)
