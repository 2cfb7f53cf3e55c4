"""A success that is not of AWS is no answer: never an empty listing, an empty queue or a record that is not there."""

from collections.abc import Callable

import pytest

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.messaging.dead_letters import dead_letters_of
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3.listing import S3ObjectListing
from adapters.s3.requests import Owners
from domain.errors import UnavailableError
from tests.servers import Server, new_name
from tests.strangers import answering

PAGES = {
    "page": (b"<html><body>Welcome to the hotel: log in</body></html>", "text/html"),
    "old page": (b'<?xml version="1.0"?>\n<!DOCTYPE html><html></html>', "application/xhtml+xml"),
    "nothing": (b"", "text/plain"),
}
LOOKS: dict[str, Callable[[AwsClients, str], object]] = {
    "listing": lambda clients, _: list(S3ObjectListing(clients, owners=Owners({})).list_objects("a-bucket", prefix="")),
    "uploads": lambda clients, _: list(S3ObjectListing(clients, owners=Owners({})).list_uploads("a-bucket", prefix="")),
    "record": lambda clients, _: DynamoDbManifest(clients, "table").read_record("0" * 64),
    "records": lambda clients, _: list(DynamoDbManifest(clients, "table").scan_records()),
    "control": lambda clients, _: DynamoDbControlPanel(clients, "table").read_control(),
    "messages": lambda clients, url: SqsMessageQueue(clients, f"{url}/0/q").receive_messages(at_most=1, wait=0),
    "count": lambda clients, url: SqsMessageQueue(clients, f"{url}/0/q").count_messages(),
    "dead letters": lambda clients, url: dead_letters_of(clients, f"{url}/0/q"),
    "copy": lambda clients, _: clients.s3_once.copy_object(
        Bucket="a-bucket", Key="k", CopySource={"Bucket": "a-bucket", "Key": "j"}
    ),
    "versioning": lambda clients, _: clients.s3.get_bucket_versioning(Bucket="a-bucket"),
    "delete": lambda clients, _: clients.s3_once.delete_object(Bucket="a-bucket", Key="k"),
    "put": lambda clients, _: clients.s3_once.put_object(Bucket="a-bucket", Key="k", Body=b""),
    "head": lambda clients, _: clients.s3.head_object(Bucket="a-bucket", Key="k"),
    "bytes": lambda clients, _: clients.s3.get_object(Bucket="a-bucket", Key="k"),
    "identity": lambda clients, _: clients.sts.get_caller_identity(),
    "mappings": lambda clients, _: clients.functions.list_event_source_mappings(FunctionName="f"),
}


# Of a delete AWS itself says nothing but 204.
CASES = [(page, look) for page in PAGES for look in LOOKS if (page, look) != ("nothing", "delete")]


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "boto3"])
@pytest.mark.parametrize(("page", "look"), CASES)
def test_a_page_of_a_proxy_is_no_answer(page: str, look: str, *, lane: bool) -> None:
    """Each request fails as one that got no answer, whatever something between us and AWS says with 200."""
    body, content_type = PAGES[page]
    with answering(200, body, content_type) as url:
        clients = AwsClients(endpoint_url=url, region="us-east-1", access_key_id="k", secret_access_key="s", lane=lane)
        with pytest.raises(UnavailableError, match="check AWS_ENDPOINT_URL"), translated(look, "what it looks at"):
            LOOKS[look](clients, url)


def test_an_object_may_be_a_page(standin: Server) -> None:
    """What an owner stores is not judged: also a web page, and also nothing."""
    bucket = new_name("page")
    standin.client("s3").create_bucket(Bucket=bucket)
    clients = AwsClients(
        endpoint_url=standin.endpoint_url,
        region="us-east-1",
        access_key_id=standin.access_key,
        secret_access_key=standin.secret_key,
    )
    for body, _ in PAGES.values():
        clients.s3.put_object(Bucket=bucket, Key="k", Body=body)
        assert clients.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body
