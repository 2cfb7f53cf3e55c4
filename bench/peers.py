"""The peers: programs that copy objects, each as its users start it, all with the same concurrency."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from adapters.demo.provisioning import create_manifest_table
from bench.clients import Client
from bench.processes import ROOT, Spent, run_to_end
from bench.site import BUCKET, Site, Sources
from bench.workers import Migration

AT_ONCE = 16
PLACE = ROOT / "build" / "peers"
"""The environment that ``make bench`` makes of bench/peers.txt; a program on the path serves too."""


@dataclass(frozen=True, slots=True)
class Started:
    """How a program is started: its command, its environment beside the server's, and what is on its input."""

    command: Sequence[str]
    more: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()


Start = Callable[[Site, Sources, str], Started]
"""From the site, the sources, and the prefix below which the copies belong."""


def peer_clients(at_once: int = AT_ONCE) -> tuple[list[Client], list[str]]:
    """The peers that are here, each with so many objects at once, and the names of those that are not."""
    clients, absent = [], []
    for name, argument, does, start in _PROGRAMS:
        path = program_of(name)
        if path is None:
            absent.append(name)
        else:
            clients.append(_client(name, version_of(path, argument), does, partial(start, path, at_once)))
    clients.append(_client("boto3", _boto3_version(), "16 threads, a bare copy", _boto3))
    clients.append(_client("keyshift's copy call", "", "16 threads, a copy with conditions at both ends", _copy_calls))
    clients.append(_client("floor: copies", "", "a copy with conditions at both ends", _floor("copies")))
    clients.append(_client("floor", "", "claim, copy with conditions, conditional commit", _floor("protocol")))
    return clients, absent


def program_of(name: str) -> str | None:
    """Where the program is: in the bench's own environment, or on the path."""
    # The package s5cmd wraps its program in Python; the program itself is measured.
    inside = sorted(PLACE.glob(f"lib/python*/site-packages/{name}/bin/{name}"))
    return str(inside[0]) if inside else shutil.which(str(PLACE / "bin" / name)) or shutil.which(name)


def version_of(path: str, argument: str) -> str:
    """What the program says of itself, its first line."""
    answer = subprocess.run([path, argument], capture_output=True, text=True, check=False)
    return (answer.stdout.splitlines() or [""])[0].split(" Python/")[0]


def _client(name: str, version: str, does: str, start: Start) -> Client:
    def run(site: Site, sources: Sources, target: str) -> Spent:
        started = start(site, sources, target)
        given = site.folder / "input"
        given.write_text("".join(f"{line}\n" for line in started.lines), encoding="utf-8")
        more = {**site.environment, **started.more}
        return run_to_end(started.command, more, site.folder / "log", stdin=given)

    return Client(name, version, does, run)


def _s5cmd(path: str, at_once: int, site: Site, sources: Sources, target: str) -> Started:
    lines = [f"cp s3://{BUCKET}/{key} s3://{BUCKET}/{target}{key.removeprefix(sources.prefix)}" for key in sources.keys]
    command = [path, "--endpoint-url", site.endpoint_url, "--numworkers", str(at_once), "run"]
    return Started(command, lines=lines)


def _rclone(path: str, at_once: int, site: Site, sources: Sources, target: str) -> Started:
    more = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_SITE_TYPE": "s3",
        "RCLONE_CONFIG_SITE_PROVIDER": "AWS",
        "RCLONE_CONFIG_SITE_ENV_AUTH": "true",
        "RCLONE_CONFIG_SITE_ENDPOINT": site.endpoint_url,
        "RCLONE_CONFIG_SITE_FORCE_PATH_STYLE": "true",
    }
    command = [path, "copy", f"site:{BUCKET}/{sources.prefix}", f"site:{BUCKET}/{target}"]
    return Started([*command, "--transfers", str(at_once), "--checkers", str(at_once)], more)


def _aws(path: str, at_once: int, site: Site, sources: Sources, target: str) -> Started:
    config = site.folder / "aws-config"
    config.write_text(f"[default]\ns3 =\n  max_concurrent_requests = {at_once}\n", encoding="utf-8")
    command = [path, "s3", "cp", f"s3://{BUCKET}/{sources.prefix}", f"s3://{BUCKET}/{target}", "--recursive"]
    return Started([*command, "--only-show-errors"], {"AWS_CONFIG_FILE": str(config)})


def _boto3(site: Site, sources: Sources, target: str) -> Started:  # noqa: ARG001  # a Start
    script = str(ROOT / "bench" / "boto3_threads.py")
    return Started([sys.executable, script, BUCKET, sources.prefix, target], lines=sources.keys)


def _copy_calls(site: Site, sources: Sources, target: str) -> Started:
    more = {"KEYSHIFT_RULES_FILE": Migration(site, sources, target).write_rules(), "KEYSHIFT_TABLE": "none"}
    script = str(ROOT / "bench" / "copy_calls.py")
    return Started([sys.executable, script, BUCKET, sources.prefix, target, sources.etag], more, sources.keys)


def _floor(work: str) -> Start:
    def start(site: Site, sources: Sources, target: str) -> Started:
        table = "floor"
        create_manifest_table(site.clients, table)
        script = str(ROOT / "bench" / "floor.py")
        command = [sys.executable, script, work, BUCKET, sources.prefix, target, sources.etag, table]
        return Started(command, lines=sources.keys)

    return start


def _boto3_version() -> str:
    import boto3

    return f"boto3 {boto3.__version__}"


_PROGRAMS: tuple[tuple[str, str, str, Callable[[str, int, Site, Sources, str], Started]], ...] = (
    ("s5cmd", "version", "run with 16 workers, a bare copy", _s5cmd),
    ("rclone", "version", "copy with 16 transfers, compares first", _rclone),
    ("aws", "--version", "s3 cp --recursive with 16 requests at once", _aws),
)
