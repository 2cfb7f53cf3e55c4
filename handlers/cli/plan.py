"""``keyshift plan``: what would move, what would fail, what it costs; it writes only --out and --html."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import yaml

from domain.errors import InputError
from domain.planning.estimate import Estimate, estimate
from domain.planning.figures import Cutting, PlanFigures
from domain.planning.functions import DEPLOYED, Functions
from domain.planning.own_events import Notifications, OwnEvents
from domain.planning.prices import Prices, prices_from
from domain.protocol.parts import MAX_COPY_BYTES, MIN_PART_BYTES, MULTIPART_ABOVE, PART_BYTES
from domain.rules.compiled import CompiledRules
from handlers.cli.options import json_option, whole_number
from handlers.cli.output import print_figures, write_text
from handlers.cli.pages.plan import OPEN_BILL, bill_of, is_open, plan_page, rows_of
from handlers.config.rules_file import load_rules

_MEMORY = re.compile(r"0*[1-9]\d*(\.\d+)? ?[KMGT]i?B", re.IGNORECASE | re.ASCII)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--inventory", help="Path or s3:// URI of an S3 Inventory's manifest.json.")
@click.option("--list", "listing", is_flag=True, help="Take the objects from a listing of the source bucket.")
@click.option("--out", type=click.Path(path_type=Path), help="Save the mapped rows as Parquet, for a backfill.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the plan as one self-contained HTML file.")
@click.option("--prices", type=click.Path(path_type=Path), help="A YAML file with your own prices.")
@whole_number("--concurrency", 100, "Objects at once.")
@whole_number(
    "--objects-at-once",
    DEPLOYED.objects_at_once,
    "Objects at once in one function: the stack's parameter objectsAtOnce.",
    envvar="KEYSHIFT_CONCURRENCY",
)
@whole_number(
    "--function-memory", DEPLOYED.memory, "MiB of a function: the stack's parameter memory.", least=128, most=10_240
)
@click.option(
    "--notifications",
    default=Notifications.EVENTBRIDGE.value,
    show_default=True,
    type=click.Choice([one.value for one in Notifications]),
    help="How S3's events reach the events queue: the stack's parameter notifications.",
)
@click.option("--memory", default="2GB", show_default=True, help="Memory limit for DuckDB; the rest spills to disk.")
@whole_number(
    "--multipart-above",
    MULTIPART_ABOVE,
    "Bytes above which the workers copy in parts: their own setting.",
    least=0,
    most=MAX_COPY_BYTES,
    envvar="KEYSHIFT_MULTIPART_ABOVE",
)
@whole_number(
    "--part-size",
    PART_BYTES,
    "Bytes of one part: their own setting.",
    least=MIN_PART_BYTES,
    envvar="KEYSHIFT_PART_SIZE",
)
@click.option("--endpoint-url", envvar="KEYSHIFT_ENDPOINT_URL", help="Another server than AWS.")
@click.option("--region", envvar="KEYSHIFT_REGION", default="us-east-1", show_default=True, help="The AWS region.")
@json_option
@click.pass_context
def plan(
    context: click.Context,
    file: Path,
    *,
    inventory: str | None,
    listing: bool,
    out: Path | None,
    html: Path | None,
    prices: Path | None,
    concurrency: int,
    objects_at_once: int,
    function_memory: int,
    notifications: str,
    memory: str,
    multipart_above: int,
    part_size: int,
    endpoint_url: str | None,
    region: str,
    as_json: bool,
) -> None:
    """Map every object of an inventory or a listing by the rules in FILE, and show what would happen.

    Reports objects and bytes per rule, unmapped keys by shape, collisions, what is archived, large or locked, what a
    move does not preserve, cost and duration. Exit code 1 when objects collide, a key is impossible, or one is unmapped
    and the file says 'unmapped: fail'.

    \b
    Example:
      keyshift plan portal.yaml --inventory s3://inventories/line-1/all/2026-11-22T01-00Z/manifest.json
      keyshift plan portal.yaml --list --out plan.parquet
    """
    from handlers.bootstrap.planning import plan_objects

    if listing == bool(inventory):
        raise InputError("choose where the objects come from: either --inventory MANIFEST or --list")
    if not _MEMORY.fullmatch(memory):
        raise InputError(f"--memory {memory!r} is not an amount of memory: write 2GB or 512MiB")
    rules = load_rules(file)
    bill = read_prices(prices)
    figures = plan_objects(
        rules,
        inventory=inventory,
        out=out,
        memory=memory,
        region=region,
        endpoint_url=endpoint_url,
        cutting=Cutting(multipart_above, part_size),
        say=lambda text: click.echo(text, err=True),
    )
    functions = Functions(function_memory, objects_at_once)
    cost = estimate(
        figures,
        bill,
        concurrency=concurrency,
        functions=functions,
        single_events=rules.single_events,
        promised_unannotated=rules.promised_unannotated,
        restore=rules.restore,
        own=OwnEvents.of(rules, Notifications(notifications)),
    )
    if as_json:
        click.echo(json.dumps(as_dict(rules.migration, figures, cost, bill)))
    else:
        show(rules.migration, figures, cost, bill)
        for line in offered(rules, figures):
            click.echo(line)
    # Last, so that an error with the page loses no result.
    if html is not None:
        write_text(html, plan_page(rules.migration, figures, cost, bill), option="--html")
    context.exit(0 if figures.is_safe else 1)


def read_prices(path: Path | None) -> Prices:
    """The default prices, or those with the user's own in ``path``."""
    if path is None:
        return Prices()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"the prices in {path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must contain a mapping of price names to numbers")
    return prices_from(content)


def as_dict(migration: str, figures: PlanFigures, cost: Estimate, prices: Prices) -> dict[str, Any]:
    """For machines."""
    return {
        "migration": migration,
        **asdict(figures),
        "moving": asdict(figures.moving),
        "total": figures.total,
        "safe": figures.is_safe,
        "fidelity": list(figures.fidelity()),
        "promises": dict(figures.promises()),
        "cost": {**asdict(cost), "dollars": cost.dollars, "prices_as_of": prices.as_of},
    }


def offered(rules: CompiledRules, figures: PlanFigures) -> Iterator[str]:
    """What the rules file could promise and does not, with the line to write."""
    known = {"storage_class"} if rules.promised_storage_class else set[str]()
    known |= {"encryption", "object_lock"} if rules.promised_plain else set()
    promises = figures.promises()
    if promises.keys() <= known:
        return
    yield "the rules file can promise what is true of every object here; that saves one request for each live event:"
    prefix = {"prefix": rules.source_prefix} if rules.source_prefix else {}
    side = {"bucket": rules.source_bucket} | prefix | dict(promises)
    yield f"  source: {{{', '.join(f'{name}: {value}' for name, value in side.items())}}}"


def _unmoved(figures: PlanFigures) -> Iterator[str]:
    """The objects that the rules cannot or do not move."""
    yield from (f"REJECTED {key!r}" for key in figures.rejected_examples)
    for shape in figures.shapes:
        yield f"unmapped {shape.objects:,} x {shape.shape!r}, for example {shape.example!r}"
    if figures.refused:
        yield f"NOT SAFE: {figures.refused:,} keys are unmapped, and the rules file has unmapped: fail"


def show(migration: str, figures: PlanFigures, cost: Estimate, prices: Prices) -> None:
    """For people."""
    print_figures(
        f"plan of {migration}: {figures.total:,} objects",
        rows_of(figures),
        head=("what", "objects", "bytes"),
    )
    for collision in figures.collisions:
        met = "an object that is there already" if collision.occupied else "each other"
        click.echo(f"COLLISION at {collision.target!r}: {', '.join(map(repr, collision.keys))} would meet {met}")
    if figures.colliding_targets > len(figures.collisions):
        click.echo(f"... and {figures.colliding_targets - len(figures.collisions):,} more targets with collisions")
    for said in _unmoved(figures):
        click.echo(said)
    for note in figures.fidelity():
        click.echo(f"not preserved: {note}")
    head = ("item", "requests", "dollars")
    print_figures(f"cost in US dollars (prices of {prices.as_of})", bill_of(cost.lines), head=head)
    if is_open(figures):
        click.echo(OPEN_BILL)
    print_figures("afterwards: each verify, and the cleanup", bill_of(cost.afterwards), head=head)
    click.echo(f"until cleanup, both copies are stored: {cost.doubled_storage_per_month:,.2f} dollars a month more")
    click.echo(f"about {cost.seconds / 3600:.1f} hours; the limit is {cost.bottleneck}")
