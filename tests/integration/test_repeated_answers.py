"""An answer that came before belongs to another request; what its connection still holds is dropped with it."""

import pytest
from botocore.parsers import ResponseParserError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.aws.repeated_answers import KEPT, AnswerNumbers
from domain.errors import UnavailableError
from tests.strangers import one_answer_late


def clients_at(url: str, *, lane: bool = False) -> AwsClients:
    """Clients of one process."""
    return AwsClients(endpoint_url=url, region="us-east-1", access_key_id="k", secret_access_key="s", lane=lane)


def etag_of(clients: AwsClients, key: str) -> str:
    """What HEAD says."""
    with translated("HeadObject", key):
        return clients.s3.head_object(Bucket="a-bucket", Key=key)["ETag"].strip('"')


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "boto3"])
def test_the_answer_to_another_request_is_none(*, lane: bool) -> None:
    """The second look would show the first object; the third one, on a connection of its own, shows the third."""
    with one_answer_late(numbered=str) as url:
        clients = clients_at(url, lane=lane)
        for number in range(3):
            assert etag_of(clients, f"good-{number}") == f"good-{number}"
            with pytest.raises(UnavailableError, match=r"HeadObject on bad-.: .* repeated by a proxy: bypass it"):
                etag_of(clients, f"bad-{number}")


def test_a_server_without_ids_is_taken_as_it_is() -> None:
    """Some S3-compatible servers give none."""
    with one_answer_late(numbered=lambda _: "") as url:
        clients = clients_at(url)
        assert [etag_of(clients, key) for key in ("a", "b", "c")] == ["a", "a", "b"]


def test_of_a_server_with_one_id_only_a_copy_of_the_last_answer_is_refused() -> None:
    """S3Proxy gives each answer the same id."""
    numbers = AnswerNumbers(lambda: None)

    def read(etag: str) -> None:
        numbers.refuse_repeated_answer({"headers": {"x-amz-request-id": "4442587FB7D0A2F9", "etag": etag}})

    for etag in ("a", "b", "a", "b"):
        read(etag)
    with pytest.raises(ResponseParserError):
        read("b")
    read("a")


@pytest.mark.parametrize("name", ["x-amz-request-id", "x-amzn-requestid"])
def test_only_so_many_answers_are_remembered(name: str) -> None:
    """A worker lives for weeks."""
    dropped: list[None] = []
    numbers = AnswerNumbers(lambda: dropped.append(None))

    def read(number: str) -> None:
        numbers.refuse_repeated_answer({"headers": {name: number}})

    for number in range(KEPT):
        read(str(number))
    with pytest.raises(ResponseParserError, match="was repeated"):
        read("0")
    assert len(dropped) == 1
    read("one more")
    read("another")
    read("1")
    with pytest.raises(ResponseParserError):
        read("3")
