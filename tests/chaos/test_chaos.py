"""The short form of ``make chaos``: every trouble, a few objects, every byte compared."""

import pytest

from domain.keys import Location
from tests.chaos.campaign import Size, run_on_standin
from tests.chaos.proxy import FaultProxy, Troubles
from tests.chaos.restarts import run_on_seaweedfs
from tests.servers import Server, new_name

pytestmark = pytest.mark.slow("kills and cuts off real workers on real servers")


@pytest.fixture
def keys_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign sets the SDK's variables for its processes; afterwards they are as before."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "replaced")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("keys_of_this_machine")
def test_killed_and_stopped_workers_behind_a_bad_network_lose_nothing() -> None:
    """SIGKILL, SIGSTOP past the lease, wrong clocks, resets, late, doubled and cut-off traffic, and an outage."""
    size = Size(
        objects=120, large=1, workers=3, storm_seconds=14.0, outages=1, torment_pause=5.0, least_troubles=10, seed=7
    )
    figures = run_on_standin(size, lambda _: None)
    assert figures.wrong == []
    assert figures.deeds["SIGKILL"] + figures.deeds["SIGSTOP"] >= 1
    assert sum(figures.deeds.values()) - figures.deeds["doubled messages"] >= 10


@pytest.mark.usefixtures("keys_of_this_machine")
def test_a_server_that_restarts_loses_nothing() -> None:
    """SeaweedFS is ended and started again while workers copy on it."""
    size = Size(objects=60, large=0, workers=2, storm_seconds=12.0, outages=1, torment_pause=30.0, seed=7)
    figures = run_on_seaweedfs(size, lambda _: None)
    assert figures.wrong == []
    assert figures.deeds["restarts"] == 1


@pytest.mark.parametrize("trouble", ["reset_before", "reset_after", "cut_off"])
def test_the_proxy_really_spoils(standin: Server, trouble: str) -> None:
    """A request that meets a trouble for certain has no usable answer; without troubles it passes."""
    proxy = FaultProxy(standin.endpoint_url)
    client = Server("proxied", proxy.endpoint_url).client("s3")
    bucket = new_name()
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="a", Body=b"x" * 100_000)
    assert len(client.get_object(Bucket=bucket, Key="a")["Body"].read()) == 100_000
    proxy.troubles = Troubles(**{trouble: 1.0})
    with pytest.raises(Exception, match=r"(?i)connection|closed|read|aborted"):
        client.get_object(Bucket=bucket, Key="a")["Body"].read()
    assert proxy.happened[trouble] >= 1
    proxy.close()


def test_a_doubled_request_reaches_the_server_twice(standin: Server) -> None:
    """The second of two conditional writes meets the first one's effect."""
    proxy = FaultProxy(standin.endpoint_url)
    client = Server("proxied", proxy.endpoint_url).client("s3")
    bucket = new_name()
    client.create_bucket(Bucket=bucket)
    proxy.troubles = Troubles(doubled_request=1.0)
    with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="a", Body=b"x", IfNoneMatch="*")
    proxy.troubles = Troubles()
    assert client.head_object(Bucket=bucket, Key="a")["ContentLength"] == 1
    proxy.close()


def test_the_proxy_tells_which_copies_it_sent_twice(standin: Server) -> None:
    """A copy is named only if it was made without an answer and then refused; one sent once is not."""
    proxy = FaultProxy(standin.endpoint_url)
    client = Server("proxied", proxy.endpoint_url).client("s3")
    bucket = new_name()
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    source = {"Bucket": bucket, "Key": "a"}
    client.copy_object(Bucket=bucket, Key="once", CopySource=source, IfNoneMatch="*")
    proxy.troubles = Troubles(doubled_request=1.0)
    with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
        client.copy_object(Bucket=bucket, Key="twice é", CopySource=source, IfNoneMatch="*")
    assert proxy.targets_sent_twice() == {Location(bucket, "twice é")}
    proxy.close()
