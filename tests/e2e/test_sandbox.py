"""``keyshift sandbox`` as a person meets it: it says how to use it, ends on a signal, and leaves nothing behind."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.e2e.workers import wait_until
from tests.worlds.sandbox import RunningSandbox, running_sandbox

pytestmark = pytest.mark.slow("starts a sandbox for each test")


def port_of(running: RunningSandbox) -> int:
    """The stand-in's, as the settings say."""
    found = re.search(r"^export AWS_ENDPOINT_URL=http://127\.0\.0\.1:(\d+)$", running.printed(), re.MULTILINE)
    assert found, running.printed()
    return int(found[1])


def is_open(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_starts_and_leaves_nothing(tmp_path: Path) -> None:
    """What it prints is what settings.sh holds, and what a shell needs; SIGTERM ends it and its processes well."""
    with running_sandbox(tmp_path, "--objects 9") as running:
        settings = (tmp_path / "sandbox" / "settings.sh").read_text()
        assert settings in running.printed()
        assert "9 objects are in s3://sensor-readings/in/" in running.printed()
        answer = running.shell("keyshift doctor")
        assert answer.returncode == 1
        assert "run keyshift start --yes" in answer.stdout
        assert answer.stdout.count("fail") == 1
        port = port_of(running)
        assert is_open(port)
        assert running.end() == 0
    assert running.printed().endswith("everything is deleted\n")
    assert list(tmp_path.iterdir()) == []
    assert not is_open(port)


def test_a_changed_rules_file_restarts_the_worker_and_stays(tmp_path: Path) -> None:
    """Ctrl-C, which a terminal sends to the whole group, ends it too; what a person wrote is named and kept."""
    with running_sandbox(tmp_path, "--objects 3 --directory sandbox/deep") as running:
        rules = tmp_path / "sandbox" / "deep" / "rules.yaml"
        rules.write_text(f"{rules.read_text()}unmapped: report\n")
        running.await_line("has changed: the worker starts again with it")
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(timeout=60) == 0
    assert running.printed().endswith("sandbox/deep keeps: rules.yaml\n")
    assert [one.name for one in (tmp_path / "sandbox" / "deep").iterdir()] == ["rules.yaml"]


def test_a_killed_sandbox_leaves_no_process(tmp_path: Path) -> None:
    """Nothing can run at its end; stand-in and worker notice it by themselves."""
    with running_sandbox(tmp_path, "--objects 3") as running:
        log, port = tmp_path / "sandbox" / "logs" / "worker-1.log", port_of(running)
        wait_until(lambda: "worker started" in log.read_text(encoding="utf-8"))
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: "worker stopped" in log.read_text(encoding="utf-8"))
        wait_until(lambda: not is_open(port))


def test_a_folder_with_files_and_a_taken_port_are_refused(tmp_path: Path) -> None:
    """One sentence with the remedy, before anything is started or written."""
    (tmp_path / "mine").write_text("mine")
    answer = run_keyshift("sandbox", "--directory", tmp_path)
    assert_one_sentence(answer, code=2, says="is not empty: remove its files, or give another --directory")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        answer = run_keyshift("sandbox", "--directory", tmp_path / "toy", "--port", port)
    assert_one_sentence(answer, code=2, says="give another --port, or 0 for a free one")
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("options", [("--objects", "0"), ("--port", "70000")])
def test_impossible_numbers_are_refused(options: tuple[str, str], tmp_path: Path) -> None:
    """By the option's name."""
    answer = run_keyshift("sandbox", "--directory", tmp_path / "toy", *options)
    assert answer.returncode == 2
    assert options[0] in answer.stderr
