"""The command line's root: loads each command when it is called, and prints an error as one sentence."""

import importlib
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from domain.errors import InputError, KeyshiftError, RulesError, ThrottledError, TransientError
from handlers.cli.output import printable_streams

COMMANDS = {
    "archived": (
        "handlers.cli.archived",
        "archived",
        "Show sources that wait in an archive, and have S3 restore them.",
    ),
    "audit": ("handlers.cli.audit", "audit", "Check the audit chain, or read one object's history in it."),
    "backfill": ("handlers.cli.backfill", "backfill", "Enqueue the objects that are there already."),
    "batch-manifest": ("handlers.cli.batch_manifest", "batch_manifest", "Write the manifest of an S3 batch job."),
    "cleanup": ("handlers.cli.cleanup", "cleanup", "Delete the sources of verified copies."),
    "conflicts": ("handlers.cli.conflicts", "conflicts", "Show what is in conflict, and decide it."),
    "cutover": ("handlers.cli.cutover", "cutover", "Declare the new layout authoritative, if every gate is open."),
    "demo": ("handlers.cli.demo", "demo", "Move a live bucket on an embedded stand-in, and check every byte."),
    "doctor": ("handlers.cli.doctor", "doctor", "Check configuration, permissions and AWS resources."),
    "init": ("handlers.cli.init", "init", "Write a first rules file, guessed from a bucket's keys."),
    "plan": ("handlers.cli.plan", "plan", "Show what would move, what would fail, and what it costs."),
    "rollback": ("handlers.cli.rollback", "rollback", "Put everything back as it was."),
    "report": ("handlers.cli.report", "report", "Write a report: one HTML page, or every object as CSV or JSON."),
    "pins": (
        "handlers.cli.pins",
        "pins",
        "List Glue tables, SageMaker models and Greengrass components that still name old keys.",
    ),
    "references": ("handlers.cli.references", "references", "Rewrite references to moved objects, or undo that."),
    "resolve": ("handlers.cli.resolve", "resolve", "Show where the bytes of a URI are now."),
    "rules": ("handlers.cli.rules", "rules", "Work with a rules file."),
    "sandbox": ("handlers.cli.sandbox", "sandbox", "Run a bucket in use on this machine, to try the commands on."),
    "start": ("handlers.cli.start", "start", "Switch live capture on and wait until it is effective."),
    "status": ("handlers.cli.status", "status", "Show the progress of the migration."),
    "uploads": ("handlers.cli.uploads", "uploads", "List or abort multipart uploads that no record names."),
    "verify": ("handlers.cli.verify", "verify", "Compare every object with its copy."),
    "worker": ("handlers.cli.worker", "worker", "Run the handlers outside Lambda."),
    "dlq": ("handlers.cli.dlq", "dlq", "List, replay or purge dead-letter messages."),
    "pause": ("handlers.cli.control", "pause", "Pause the migration: begun objects are finished, no new ones begin."),
    "resume": ("handlers.cli.control", "resume", "Resume after a pause or the circuit breaker."),
    "throttle": ("handlers.cli.control", "throttle", "Set or lift limits while the migration runs."),
}
PHASES = {
    "Prepare": ("demo", "sandbox", "init", "rules", "plan", "doctor"),
    "Move": ("start", "backfill", "batch-manifest", "worker", "status", "verify", "references", "pins"),
    "Steer": ("pause", "resume", "throttle", "dlq", "conflicts", "archived", "uploads"),
    "Finish, or go back": ("cutover", "cleanup", "rollback"),
    "Look up and prove": ("resolve", "report", "audit"),
}
"""Each command stands in the help where a migration needs it first."""
FAILED, MISUSED = 1, 2
INTERRUPTED = 130
_ANOTHER_LINE = re.compile(r"\n(?!  )")
"""A line feed of a key in an error's text; further lines that keyshift writes are indented."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when it is run, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every command, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """The command, loaded."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """Their one-line help by phase, without loading them."""
        width = max(map(len, COMMANDS))
        for phase, names in PHASES.items():
            with formatter.section(phase):
                formatter.write_dl([(name.ljust(width), COMMANDS[name][2]) for name in names])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keyshift")
def keyshift() -> None:
    """Move the objects of a live S3 bucket to a new key layout without losing a byte.

    \b
    Try it on this machine, nothing leaves it:
      keyshift demo
    See what a rules file does with a key:
      keyshift rules map migrations/edge-cv-portal.yaml 'training-output/j1/output/model.tar.gz'
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0 success, 1 the answer is no, 2 wrong use or unreadable input."""
    with printable_streams():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _answered(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()  # a failure can be reported here, and not at the interpreter's end
    except BrokenPipeError:
        # The reader of the output has gone, so the interpreter must not write to it at its end.
        sys.stdout = None
        return FAILED
    except UnicodeEncodeError as error:
        _say(f"the output's encoding {error.encoding} has no {error.object[error.start]!a}: set PYTHONUTF8=1")
        return FAILED
    except OSError as error:
        sys.stdout = None
        _say(f"{error.filename or 'the output'} cannot be written or read: {error.strerror}; correct that first")
        return FAILED
    return code


def _answered(arguments: Sequence[str] | None) -> int:
    try:
        answer: Any = keyshift.main(args=arguments, prog_name="keyshift", standalone_mode=False, color=True)
    except click.exceptions.Abort:
        _say("stopped")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return MISUSED
    except KeyshiftError as error:
        _say(_said(error))
        return MISUSED if isinstance(error, InputError) else FAILED
    except KeyboardInterrupt:
        _say("stopped")
        return INTERRUPTED
    return answer if isinstance(answer, int) else 0


def _said(error: KeyshiftError) -> str:
    """The text, with the advice to run the command again where that may succeed."""
    text = str(error)
    if not isinstance(error, RulesError):  # it has one line for each mistake, and the file is the operator's own
        text = _ANOTHER_LINE.sub(r"\\n", text)
    match error:
        case ThrottledError():
            return f"{text}; wait a little, then run the command again"
        case TransientError():
            return f"{text}; run the command again"
        case _:
            return text


def _say(text: str) -> None:
    print(f"keyshift: {text}", file=sys.stderr)  # noqa: T201  # the command line's own voice
