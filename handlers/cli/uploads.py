"""``keyshift uploads``: abandoned multipart uploads under the target (protocol.md §7)."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from domain.keys import Location
from handlers.cli.options import json_option, whole_number, with_settings
from handlers.cli.output import say_dry_run
from handlers.config.settings import Settings
from handlers.engine.dependencies import Dependencies

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """An upload that no record names; ``is_record_target`` means that a record's target has its key."""

    location: Location
    upload_id: str
    begun: float
    is_record_target: bool


def _check_ids(context: click.Context, option: click.Parameter, ids: tuple[str, ...]) -> tuple[str, ...]:
    """In earlier versions ``--abort`` took no id and aborted every upload: the next option would be read as an id."""
    for one in ids:
        if one.startswith("--"):
            raise click.BadParameter("it needs the id of one upload: keyshift uploads lists them", context, option)
    return ids


@click.command()
@click.option(
    "--abort",
    "ids",
    multiple=True,
    metavar="UPLOAD_ID",
    callback=_check_ids,
    help="Abort this upload; may be given repeatedly.",
)
@click.option("--yes", is_flag=True, help="Really abort; without it nothing is changed.")
@whole_number("--older-than", 86_400, "Only uploads started at least this many seconds ago.", least=0)
@json_option
@with_settings
@click.pass_context
def uploads(
    context: click.Context, settings: Settings, *, ids: tuple[str, ...], yes: bool, older_than: int, as_json: bool
) -> None:
    """List multipart uploads under the target's prefix that no manifest record names.

    Their parts are billed until they are aborted. S3 does not show which program began an upload, so uploads of
    producers and of other programs are listed too. Aborting one makes its program lose what it has sent.
    So each upload to abort is named by its id. "target of a record" marks keys that keyshift itself copies to. Exit
    code 1 when a given id is not among the listed ones.

    \b
    Example:
      keyshift uploads
      keyshift uploads --abort UPLOAD_ID --yes
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.process import Process

    process = Process(settings)
    dependencies = wire_command(process, function="uploads-command")
    unseen, found = set(ids), 0
    for one in _left_behind(process, dependencies, before=time.time() - older_than):
        found += 1
        chosen = one.upload_id in ids
        unseen.discard(one.upload_id)
        if chosen and yes:
            dependencies.ports.multipart.abort_upload(one.location, upload_id=one.upload_id)
        _show(one, chosen=chosen, aborted=chosen and yes, as_json=as_json)
    if not found and not as_json:
        click.echo("no upload is abandoned")
    for upload_id in sorted(unseen):
        click.echo(
            f"{upload_id!r} is not among them: it has ended, a record names it, or it is younger than --older-than",
            err=True,
        )
    if ids and not yes:
        say_dry_run("aborted")
    context.exit(1 if unseen else 0)


def _left_behind(process: "Process", dependencies: Dependencies, *, before: float) -> Iterator[LeftBehind]:
    """Uploads begun before the moment whose id no record holds."""
    from handlers.bootstrap.inspection import upload_listing

    rules = dependencies.rules
    named, targets = set(), set()
    listed = list(upload_listing(process).list_uploads(rules.target_bucket, prefix=rules.target_prefix))
    keys = {location for location, _, _ in listed}
    # Read after the listing: a worker records its upload a moment after S3 has begun it; --older-than excludes that.
    for record in dependencies.ports.manifest.scan_records():
        if record.upload is not None:
            named.add(record.upload.upload_id)
        if record.target in keys:
            targets.add(record.target)
    for location, upload_id, begun in listed:
        if upload_id not in named and begun <= before:
            yield LeftBehind(location, upload_id, begun, location in targets)


def _show(one: LeftBehind, *, chosen: bool, aborted: bool, as_json: bool) -> None:
    if as_json:
        row = {"target": one.location.uri, "upload_id": one.upload_id, "begun": one.begun, "aborted": aborted}
        click.echo(json.dumps({**row, "target_of_a_record": one.is_record_target}))
        return
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.begun))
    state = "aborted" if aborted else "would be aborted" if chosen else "left behind"
    whose = "target of a record" if one.is_record_target else "no record's target"
    click.echo(f"{state}  {when}  {one.location.uri!r}  {one.upload_id}  ({whose})")
