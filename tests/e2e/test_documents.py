"""Every command in the documents runs, and prints what they say."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from handlers.cli.app import keyshift
from tests.e2e.command_line import environment
from tests.e2e.documents import ROOT, Shown, shown_commands

COMMANDS = shown_commands()
RUN = [shown for shown in COMMANDS if shown.kind == "console"]
SHOWN = [shown for shown in COMMANDS if "keyshift " in shown.command and not shown.command.startswith("export")]
SMALL = {"keyshift demo": "keyshift demo --objects 60 --workers 2 --kills 1"}
LONG = ("make test", "make demo")
"""They would run this very suite, or the demo that test_demo.py runs: that they start the right thing is enough."""


def place_of(shown: Shown) -> str:
    """How a test is called."""
    return shown.place


@pytest.mark.slow("runs each shown command as a process, the demo too")
@pytest.mark.parametrize("shown", RUN, ids=place_of)
def test_a_command_of_the_documents_runs(shown: Shown) -> None:
    """Exit code 0, and where the document shows output of a command that always says the same, that output."""
    command = f"make --dry-run {shown.command[5:]}" if shown.command in LONG else shown.command
    command = SMALL.get(command, command)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    answer = subprocess.run(  # noqa: S602  # our own documents
        command,
        shell=True,
        cwd=ROOT,
        env=environment({"PATH": path}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    if shown.output and "demo" not in command:
        assert shown.output == answer.stdout.rstrip("\n")
    if shown.output and "demo" in shown.command:
        # Figures differ from run to run; what must not differ is the verdict.
        assert shown.output.splitlines()[-1] == "lost 0, wrong 0, stale 0, audit_missing 0"


@pytest.mark.parametrize("shown", SHOWN, ids=place_of)
def test_a_shown_command_has_the_shown_options(shown: Shown) -> None:
    """Also of commands that need an AWS account: command and options exist."""
    words = shlex.split(shown.command.split(" | ")[-1 if " | keyshift" in shown.command else 0], comments=True)
    words = words[next(at for at, word in enumerate(words) if word.endswith("keyshift")) + 1 :]
    command: click.Command = keyshift
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, shown.command
        command = found
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= flags | {"--help", "--version"}, shown.command


def test_there_is_something_to_run() -> None:
    """The two commands of the README are among what is checked."""
    assert {"make demo", "make test"} <= {shown.command for shown in RUN}
