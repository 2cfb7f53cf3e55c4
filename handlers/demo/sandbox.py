"""``keyshift sandbox``: a small bucket in use, on which every command can be tried."""

import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from domain.errors import InputError
from handlers.demo.readings import OLD, Readings, SandboxProducers
from handlers.demo.world import OTHER_CREDENTIALS, DemoWorld, Workers

RULES_NAME, SETTINGS_NAME, PRODUCERS_NAME, LOGS_NAME = "rules.yaml", "settings.sh", "producers", "logs"
LOOK_SECONDS = 0.5
RESTART_SECONDS = 5.0
"""Seconds between two starts of a worker that ends by itself."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class SandboxFolder:
    """The files of a sandbox; what a person changed or added stays when the sandbox ends."""

    path: Path
    _written: dict[Path, str] = field(default_factory=dict)

    def make(self) -> None:
        """Make the folder; raises InputError where it has files, or cannot be made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            is_empty = not any(self.path.iterdir())
        except OSError as error:
            raise InputError(f"{self.path} cannot be used: {error.strerror}; give another --directory") from error
        if not is_empty:
            raise InputError(f"{self.path} is not empty: remove its files, or give another --directory")
        self.logs.mkdir()

    @property
    def logs(self) -> Path:
        """The folder of the workers' logs."""
        return self.path / LOGS_NAME

    @property
    def rules(self) -> Path:
        """The rules file."""
        return self.path / RULES_NAME

    @property
    def producers(self) -> Path:
        """The file with the word that the producers follow."""
        return self.path / PRODUCERS_NAME

    def write(self, name: str, text: str) -> None:
        """Write a file, and remember its content."""
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        self._written[path] = text

    def written(self, name: str) -> bytes:
        """What this process wrote into a file, whatever is in it now."""
        return self._written[self.path / name].encode()

    def remove(self) -> list[Path]:
        """Delete the logs and each file that is as it was written; the files that stay, sorted."""
        for path in self.logs.glob("worker-*.log"):
            path.unlink()
        for path, text in self._written.items():
            if path == self.producers or (path.exists() and path.read_text("utf-8", "replace") == text):
                path.unlink(missing_ok=True)
        for folder in (self.logs, self.path):
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
        return sorted(self.path.iterdir()) if self.path.exists() else []


def exports(environment: Mapping[str, str]) -> str:
    """Lines for a shell: the settings, and no credentials of another account."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items())]
    return "\n".join([f"unset {' '.join(OTHER_CREDENTIALS)}", *lines]) + "\n"


@dataclass(frozen=True)
class Sandbox:
    """Producers and a worker in a prepared world; the commands are the operator's."""

    world: DemoWorld
    folder: SandboxFolder
    objects: int
    say: Say

    def prepare(self) -> Readings:
        """Write the objects and the files; the worker then waits for ``keyshift start``."""
        readings = Readings(self.world.producers_bucket, self.world.rules)
        readings.seed(self.objects)
        self.world.write_uris(readings.referred())
        self.folder.write(SETTINGS_NAME, exports(self.world.environment))
        self.folder.write(PRODUCERS_NAME, f"{OLD}\n")
        return readings

    def run(self, readings: Readings, ended: threading.Event) -> None:
        """Let producers write and a worker work until ``ended``; the error that stopped the producers, if one did."""
        workers = Workers(self.world, self.folder.logs, lanes=2, apart=True)
        producers = SandboxProducers(readings, self.folder.producers, self.say)
        try:
            workers.start(1)
            producers.start()
            self._look_after(workers, producers, ended)
        finally:
            producers.stop()
            workers.stop()
        if producers.failures:
            raise producers.failures[0]

    def _look_after(self, workers: Workers, producers: SandboxProducers, ended: threading.Event) -> None:
        """Start the worker again when it ended, and when the rules file changed."""
        # A change while the first worker starts counts too: it may have read the file before.
        rules, wait = sha256(self.folder.written(RULES_NAME)).hexdigest(), 0.0
        while not ended.wait(LOOK_SECONDS) and not producers.failures:
            wait = max(0.0, wait - LOOK_SECONDS)
            changed = self._digest()
            if changed != rules:
                rules = changed
                self.say(f"{self.folder.rules} has changed: the worker starts again with it")
                workers.stop()
                workers.start(1)
            elif not wait and (words := workers.fallen()):
                self.say(f"the worker ended, another one starts: {last_line(words[0])}")
                workers.stop()
                workers.start(1)
                wait = RESTART_SECONDS

    def _digest(self) -> str:
        try:
            return sha256(self.folder.rules.read_bytes()).hexdigest()
        except OSError:
            return ""


def last_line(text: str) -> str:
    """The last line of a log, or that it is empty."""
    return (text.strip().splitlines() or ["its log is empty"])[-1]
