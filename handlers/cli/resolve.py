"""``keyshift resolve``: where the bytes of a URI are now."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

import click

from domain.references.resolver import Resolution
from handlers.cli.options import json_option, with_settings
from handlers.cli.rules import read_keys
from handlers.config.settings import Settings
from handlers.operations.resolve import BATCH
from handlers.operations.resolve import as_json as as_row


@click.command()
@click.argument("uris", nargs=-1, metavar="[URI]...")
@json_option
@with_settings
@click.pass_context
def resolve(context: click.Context, settings: Settings, *, uris: tuple[str, ...], as_json: bool) -> None:
    """Show for each URI, old or new, where its bytes are now, and for how long that is valid.

    Without URI they are read from standard input, one a line. Exit code 1 when one has no answer: malformed, of another
    bucket, without a rule, or vanished.

    \b
    Example:
      keyshift resolve s3://manufacturing-line-1/datasets//training-output/cookie-1/output/model.tar.gz
      cut -f 3 jobs.tsv | keyshift resolve --json
    """
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.references import resolver_of

    resolver = resolver_of(Process(settings))
    has_all = True
    given = iter(uris) if uris else read_keys(sys.stdin.buffer, end=b"\n")
    for batch in _batches(given):
        for answer in resolver.resolve_all(batch):
            has_all &= answer.fault is None
            click.echo(json.dumps(as_row(answer)) if as_json else line_of(answer))
    context.exit(0 if has_all else 1)


def line_of(answer: Resolution) -> str:
    """For people."""
    if answer.fault is not None:
        return f"{answer.fault.value:10}  {answer.uri!r}: {answer.reason}"
    side = "old layout" if answer.is_legacy else "new layout"
    state = answer.state.value if answer.state is not None else "not migrated"
    new = f", new form {answer.new_uri!r}" if answer.is_legacy else ""
    return f"readable    {answer.uri!r} ({side}, {state}): {answer.location!r}{new}, valid for {answer.good_for} s"


def _batches(uris: Iterator[str]) -> Iterator[Sequence[str]]:
    while batch := list(islice(uris, BATCH)):
        yield batch
