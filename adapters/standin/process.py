"""The stand-in as a child process, for the demo and the tests."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from adapters.standin.faults import Fault
from adapters.standin.limits import Limits

REGION = "us-east-1"
KEYS_AT_ONCE = 1000
_DAY = 86_400
_ROOT = Path(__file__).resolve().parents[2]


class StandInError(RuntimeError):
    """The stand-in did not start or did not do what it was told."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running stand-in."""

    endpoint_url: str
    process: subprocess.Popen[bytes]

    def environment(self) -> dict[str, str]:
        """What an AWS SDK or the command line needs to talk to it, and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "standin",
            "AWS_SECRET_ACCESS_KEY": "standin",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def inject(self, fault: Fault) -> None:
        """Spoil the next requests that match."""
        self._administer("POST", "faults", json.dumps(asdict(fault)))

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        self._administer("DELETE", "faults")

    def pending_faults(self) -> int:
        """How many requests are still to be spoiled."""
        return self._administer("GET", "faults")["pending"]

    def set_limits(self, *, copy_bytes: int = Limits().copy_bytes, part_bytes: int = Limits().part_bytes) -> None:
        """Lower S3's size limits, or put AWS's back."""
        self._administer("PUT", "limits", json.dumps({"copy_bytes": copy_bytes, "part_bytes": part_bytes}))

    def put_objects(self, bucket: str, keys: Sequence[str], body: str) -> None:
        """Put one body at each key, without a request for each; as so many producers do it."""
        for first in range(0, len(keys), KEYS_AT_ONCE):
            page = {"bucket": bucket, "keys": keys[first : first + KEYS_AT_ONCE], "body": body}
            self._administer("POST", "objects", json.dumps(page))

    def stop(self) -> None:
        """End the process, by force after three seconds; repeatable."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _administer(self, method: str, name: str, body: str = "") -> dict[str, int]:
        request = Request(f"{self.endpoint_url}/_standin/{name}", data=body.encode() or None, method=method)  # noqa: S310 - loopback
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
            read: dict[str, int] = json.load(answer)
        return read


@contextmanager
def running_standin(
    *, port: int = 0, limits: Limits | None = None, startup_seconds: float = 30, stream_seconds: int = _DAY
) -> Iterator[StandIn]:
    """Start a stand-in on ``port`` (0: a free one), wait until it answers, and end it however the block ends.

    A table's stream keeps a change for ``stream_seconds``. Raises StandInError with the child's own words when it does
    not come up.
    """
    with tempfile.TemporaryDirectory(prefix="keyshift-standin-") as folder:
        ready, log = Path(folder, "endpoint"), Path(folder, "log")
        with log.open("wb") as output:
            process = _start(ready, port, limits or Limits(), output.fileno(), stream_seconds)
        try:
            url = _await_ready(process, ready, log, startup_seconds)
        except BaseException:
            StandIn("", process).stop()
            raise
        standin = StandIn(url, process)
        try:
            yield standin
        finally:
            standin.stop()


def _start(ready: Path, port: int, limits: Limits, output: int, stream_seconds: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "adapters.standin", "--port", str(port), "--until-stdin-closes"]
    command += ["--ready-file", str(ready), "--copy-bytes", str(limits.copy_bytes)]
    command += ["--part-bytes", str(limits.part_bytes), "--stream-seconds", str(stream_seconds)]
    # This repository is first on the path: others use the name "adapters" too. No AWS settings leak in.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])])
    # Standard input is the leash: when this process dies, the child reads its end and goes too. Its own session keeps
    # a terminal's Ctrl-C from it, so that workers which end after a Ctrl-C can still finish what they began.
    return subprocess.Popen(  # noqa: S603 - keyshift's own module
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def _await_ready(process: subprocess.Popen[bytes], ready: Path, log: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready.exists():
            return ready.read_text()
        if process.poll() is not None:
            break
        time.sleep(0.02)
    words = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    raise StandInError(f"The stand-in did not start within {seconds:.0f} s: {words[0]}")
