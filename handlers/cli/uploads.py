"""``keyshift uploads``: multipart uploads under the target that nobody will finish (protocol.md §7)."""

import json
import time

import click

from handlers.cli.options import json_option, with_settings
from handlers.settings import Settings


@click.command()
@click.option("--abort", is_flag=True, help="Abort them; a dry run unless --yes is given too.")
@click.option("--yes", is_flag=True, help="Really abort.")
@click.option(
    "--older-than",
    default=86_400,
    show_default=True,
    type=click.IntRange(0),
    help="Only uploads begun so many seconds ago.",
)
@json_option
@with_settings
def uploads(settings: Settings, *, abort: bool, yes: bool, older_than: int, as_json: bool) -> None:
    """List multipart uploads under the target's prefix that no manifest record names.

    Their parts are billed until somebody aborts them. Uploads of other programs are listed too: look before you abort.

    \b
    Example:
      keyshift uploads
      keyshift uploads --abort --yes
    """
    from handlers.bootstrap import bootstrap
    from handlers.bootstrap.inspection import object_listing

    dependencies = bootstrap(settings, function="uploads-command")
    rules, manifest = dependencies.rules, dependencies.ports.manifest
    named = {record.upload.upload_id for record in manifest.scan_records() if record.upload is not None}
    before, found = time.time() - older_than, 0
    listing = object_listing(settings, rules)
    for location, upload_id, begun in listing.list_uploads(rules.target_bucket, prefix=rules.target_prefix):
        if upload_id in named or begun > before:
            continue
        found += 1
        aborted = abort and yes
        if aborted:
            dependencies.ports.multipart.abort_upload(location, upload_id=upload_id)
        if as_json:
            row = {"target": location.uri, "upload_id": upload_id, "begun": begun, "aborted": aborted}
            click.echo(json.dumps(row))
        else:
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun))
            click.echo(f"{'aborted' if aborted else 'left behind'}  {when}  {location.uri!r}  {upload_id}")
    if not found and not as_json:
        click.echo("no upload is left behind")
    if abort and not yes:
        click.echo("dry run: nothing was aborted, give --yes to do it", err=True)
