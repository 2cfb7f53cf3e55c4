"""``keyshift pins``: list published things with old URIs that cannot be edited."""

import json

import click

from handlers.cli.options import json_option, with_settings
from handlers.cli.output import say
from handlers.config.settings import Settings


@click.command()
@json_option
@with_settings
@click.pass_context
def pins(context: click.Context, settings: Settings, *, as_json: bool) -> None:
    """List the pins on legacy objects: what must be published again before the objects can be deleted.

    The command reads the services that 'pins' in the rules file names: Glue tables and partitions, published Greengrass
    components with their deployments, SageMaker models and model packages. It searches this account and region, and
    each of 'pin_places'. Pins elsewhere are not found. Cleanup keeps exactly these objects. Exit code 1 when there is a
    pin.

    \b
    Example:
      keyshift pins
      keyshift pins --json
    """
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.references import pins_of

    found = pins_of(Process(settings))
    if not found.holders:
        click.echo("the rules file names no service: add 'pins: [glue]', or those that you use", err=True)
    number = 0
    for number, pin in enumerate(found.find_pins(), start=1):  # noqa: B007  # counted
        if as_json:
            row = {"holder": pin.holder, "uri": pin.uri, "source": pin.source.uri, "remedy": pin.remedy}
            click.echo(json.dumps(row))
        else:
            say(f"{pin.source.uri!r} is held by {pin.holder}: {pin.remedy}")
    if not as_json:
        asked = "; ".join(["this account, this region", *map(str, found.rules.pin_places)])
        click.echo(f"{number:,} pins" if number else "no pins")
        if found.holders:
            say(f"searched: {', '.join(found.rules.pins)} in {asked}; pins of other accounts and regions are not found")
    context.exit(1 if number else 0)
