"""The lane trusts whom boto3 trusts: the configured CAs, and only for the host that it asked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import SSLError
from botocore.httpsession import get_cert_path

from adapters.aws.clients import AwsClients
from adapters.aws.lane.connections import Connections, Limits
from tests.certificates import Authority
from tests.wire import serving
from tests.worlds.lanes import COPY, clients_at, plain_answer, ways

MESSAGE = b"PUT / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA that nobody trusts by default."""
    return Authority(tmp_path)


def connected(port: int, ca_certs: str) -> Callable[[], int]:
    """A request to localhost by the lane's own connections."""
    connections = Connections("https", "localhost", port, Limits(2, 2, 4, ca_certs))
    return lambda: connections.exchange(MESSAGE, is_head=False, before_sending=lambda: None).status


def test_a_configured_ca_is_trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_CA_BUNDLE counts for the lane too."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.path))
    with serving(plain_answer, tls=authority.server("localhost", "127.0.0.1")) as wire:
        clients = clients_at(wire.url)
        for _ in range(3):
            clients.s3_once.copy_object(**COPY)
    assert ways(wire) == ["lane"] * 3
    assert len({one.connection for one in wire.seen}) == 1


def test_another_ca_is_refused(authority: Authority) -> None:
    """Before anything is sent."""
    with serving(plain_answer, tls=authority.server("localhost")) as wire:
        port = int(wire.url.rpartition(":")[2])
        assert connected(port, str(authority.path))() == 200
        wire.seen.clear()
        with pytest.raises(SSLError, match="certificate verify failed"):
            connected(port, str(get_cert_path(verify=True)))()
    assert wire.seen == []


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1", "*.localhost"])
def test_another_hosts_certificate_is_refused(authority: Authority, name: str) -> None:
    """Also one that the trusted CA signed."""
    with serving(plain_answer, tls=authority.server(name)) as wire, pytest.raises(SSLError, match="localhost"):
        connected(int(wire.url.rpartition(":")[2]), str(authority.path))()
    assert wire.seen == []


def test_by_default_our_own_ca_is_not_trusted(authority: Authority) -> None:
    """Neither by the lane nor by boto3."""
    with serving(plain_answer, tls=authority.server("localhost", "127.0.0.1")) as wire:
        clients: AwsClients = clients_at(wire.url)
        for _ in range(2):
            with pytest.raises(SSLError):
                clients.s3_once.copy_object(**COPY)
    assert wire.seen == []
