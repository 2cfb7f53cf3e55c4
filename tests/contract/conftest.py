"""The worlds that the ports' suites run in."""

from typing import Any

import pytest

from tests.servers import Server, new_name
from tests.worlds.objects import FakeWorld, ObjectWorld, ServerWorld

MOTO_IGNORES = "moto 5.2.5 ignores conditions on copies (emulators.md)"


def pytest_configure(config: pytest.Config) -> None:
    """The marker of tests on which a server is known to disagree with AWS."""
    config.addinivalue_line("markers", "disagrees(server, why): this server is known to differ from AWS; strictly")


@pytest.fixture(params=["fake", "standin", "standin through boto3", "seaweedfs", "moto"])
def world(request: pytest.FixtureRequest) -> ObjectWorld:
    """The object ports, in memory, and in the lean lane on each server; the lane's fallback on one."""
    server, _, way = request.param.partition(" through ")
    for marker in request.node.iter_markers("disagrees"):
        if marker.args[0] == server:
            request.applymarker(pytest.mark.xfail(strict=True, reason=marker.args[1]))
    if request.param == "fake":
        return FakeWorld()
    fixture = "moto_endpoint" if server == "moto" else server
    return ServerWorld(request.getfixturevalue(fixture), lane=way != "boto3")


@pytest.fixture
def s3(standin: Server) -> Any:
    """A client of the stand-in that does not retry."""
    return standin.client("s3")


@pytest.fixture
def sqs(standin: Server) -> Any:
    """A client of its queues, likewise."""
    return standin.client("sqs")


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket of this test's own."""
    name = new_name()
    s3.create_bucket(Bucket=name)
    return name
