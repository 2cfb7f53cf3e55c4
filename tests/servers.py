"""The servers that tests run against: loopback only, a port of their own, ended with the session."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from adapters.standin import StandIn, running_standin

REGION = "us-east-1"
_STARTUP_SECONDS = 60
_FIRST_PORT, _PORTS = 20_000, 6_000
"""With as many twins for gRPC right behind them, below 32,768: there connections of others begin, and take any port."""


@dataclass(frozen=True, slots=True)
class Server:
    """An AWS-shaped endpoint and the keys it takes; ``name`` is what a test's expected failures go by."""

    name: str
    endpoint_url: str
    access_key: str = "test"
    secret_key: str = "test"

    @property
    def keys(self) -> dict[str, str]:
        """The keys as the SDK's variables."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client that sends each request once, so that a test sees the server's own answer."""
        settings: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}}
        return boto3.client(  # type: ignore[call-overload]  # the service's name is not known here
            service,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
            config=Config(**(settings | config)),
        )


def new_name(prefix: str = "t") -> str:
    """A bucket, table or queue name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:16]}"


class SeaweedFs:
    """SeaweedFS on a folder of its own; it can be ended and started again on the same ports with the same files."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        ports = _free_ports(4)
        keys = {"accessKey": "seaweed", "secretKey": "seaweedsecret"}
        identity = {"name": "tests", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        settings = Path(folder, "s3.json")
        settings.write_text(json.dumps({"identities": [identity]}))
        data = Path(folder, "data")
        data.mkdir()
        self._command = [str(Path(sys.executable).with_name("weed")), "server", f"-dir={data}"]
        self._command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=0", "-master.volumeSizeLimitMB=64"]
        self._command += ["-filer", "-s3", f"-s3.config={settings}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        for name, port in zip(("master", "volume", "filer", "s3"), ports, strict=True):
            self._command += [f"-{name}.port={port}", f"-{name}.port.grpc={port + _PORTS}"]
        self.server = Server("seaweedfs", f"http://127.0.0.1:{ports[3]}", keys["accessKey"], keys["secretKey"])

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Started and ready while the block runs."""
        with _running(self._command, self._folder) as process:
            _await_buckets(self.server, process, Path(self._folder, "log"))
            yield self.server


@contextmanager
def running_seaweedfs() -> Iterator[Server]:
    """SeaweedFS with its S3 gateway, which checks signatures and honours conditions; its files go with it."""
    with (
        tempfile.TemporaryDirectory(prefix="keyshift-seaweedfs-", ignore_cleanup_errors=True) as folder,
        SeaweedFs(folder).running() as server,
    ):
        yield server


@contextmanager
def running_moto() -> Iterator[Server]:
    """Moto's server."""
    (port,) = _free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = Server("moto", f"http://127.0.0.1:{port}")
    with tempfile.TemporaryDirectory(prefix="keyshift-moto-") as folder, _running(command, folder):
        _await_answer(f"{server.endpoint_url}/moto-api/")
        yield server


def standin_server(standin: StandIn) -> Server:
    """The stand-in in the shape of the others."""
    keys = standin.environment()
    return Server("standin", standin.endpoint_url, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture(scope="session")
def standin_process() -> Iterator[StandIn]:
    """The stand-in with its faults and limits; a test that changes them puts them back."""
    with running_standin() as standin:
        yield standin


@pytest.fixture
def standin(standin_process: StandIn) -> Iterator[Server]:
    """The stand-in as an endpoint; a test must not leave faults behind, so none outlive it."""
    yield standin_server(standin_process)
    standin_process.clear_faults()
    standin_process.set_limits()


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[Server]:
    """SeaweedFS, the second opinion on conditions."""
    with running_seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[Server]:
    """Moto's server as an endpoint."""
    with running_moto() as server:
        yield server


@contextmanager
def _running(command: list[str], folder: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)  # noqa: S603 - ours
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    """Free ports whose twins for gRPC are free too; somebody may still take them first, then the start fails."""
    found: list[int] = []
    while len(found) < count:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = _FIRST_PORT + listener.getsockname()[1] % _PORTS
        if port not in found and _is_free(port) and _is_free(port + _PORTS):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _await_buckets(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ready is when a bucket can be written: the gateway answers before its volumes do."""
    bucket = new_name("ready")
    deadline = time.monotonic() + _STARTUP_SECONDS
    client = server.client("s3")
    while True:
        try:
            client.create_bucket(Bucket=bucket)
            client.put_object(Bucket=bucket, Key="ready", Body=b"ready")
            client.delete_object(Bucket=bucket, Key="ready")
            client.delete_bucket(Bucket=bucket)
        except Exception as error:
            if process.poll() is not None or time.monotonic() > deadline:
                end = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
                raise RuntimeError(f"{server.name} did not start (exit code {process.poll()}): {end}") from error
            time.sleep(0.2)
        else:
            return


def _await_answer(url: str) -> None:
    deadline = time.monotonic() + _STARTUP_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def credentials(standin: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The stand-in, with its keys where the product looks for them."""
    for name, value in standin.keys.items():
        monkeypatch.setenv(name, value)
    return standin
