"""``keyshift sandbox``: a bucket in use on this machine, to try the commands on."""

import signal
import socket
import threading
from pathlib import Path

import click

from domain.errors import InputError
from handlers.cli.demo import packaged_rules
from handlers.cli.options import whole_number
from handlers.cli.output import say

RULES = "examples/flatten-dates.yaml"
AUDIT_BUCKET = "keyshift-audit"
LOOPBACK = "127.0.0.1"


@click.command()
@whole_number("--objects", 60, "Number of objects at the start.", most=100_000)
@click.option(
    "--directory",
    default="sandbox",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the rules file, the settings and the logs: empty or absent.",
)
@whole_number("--port", 0, "The port of the stand-in on this machine; 0 takes a free one.", least=0, most=65_535)
def sandbox(*, objects: int, directory: Path, port: int) -> None:
    """Run a small bucket in use on an embedded AWS stand-in, and try every command on it.

    The bucket keeps versions and holds readings in year/month/day folders. It has queues with dead-letter queues, a
    manifest table, a bus, an audit bucket with Object Lock, and a worker. An application's table holds the URIs of some
    readings. A producer changes an object every two seconds. The settings for a shell are printed, and written to
    settings.sh in the folder. Write new or stop into the file producers there to switch the producers. The worker
    starts again when rules.yaml changes. The command runs until Ctrl-C or SIGTERM. Then everything is deleted but the
    files that you changed or added.

    \b
    Example:
      keyshift sandbox
      keyshift sandbox --objects 500 --directory toy --port 4566
    """
    from handlers.config.rules_file import load_rules
    from handlers.demo.readings import REFERENCES
    from handlers.demo.sandbox import RULES_NAME, SETTINGS_NAME, Sandbox, SandboxFolder, exports
    from handlers.demo.wiring import demo_world

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    need_free(port)
    folder = SandboxFolder(directory)
    folder.make()
    try:
        folder.write(RULES_NAME, packaged_rules(RULES).read_text(encoding="utf-8") + REFERENCES)
        rules = load_rules(folder.rules)
        where = folder.rules.resolve()
        with demo_world(rules, where, versioned=True, port=port, audit_bucket=AUDIT_BUCKET) as world:
            running = Sandbox(world, folder, objects, say)
            readings = running.prepare()
            click.echo(exports(world.environment), nl=False)
            say(
                f"{objects:,} objects are in s3://{rules.source_bucket}/{rules.source_prefix}, and producers write more"
            )
            say(f"in another terminal: . {directory / SETTINGS_NAME} && keyshift doctor")
            say("the whole way is in docs/tutorial/first-migration.md; Ctrl-C ends the sandbox")
            running.run(readings, ended)
    finally:
        left = folder.remove()
    say(f"{directory} keeps: {', '.join(one.name for one in left)}" if left else "everything is deleted")


def need_free(port: int) -> None:
    """Raise InputError where another program listens on the port."""
    try:
        with socket.create_server((LOOPBACK, port)):
            return
    except OSError as error:
        remedy = "give another --port, or 0 for a free one"
        raise InputError(f"port {port} of {LOOPBACK} cannot be used: {error.strerror}; {remedy}") from error
