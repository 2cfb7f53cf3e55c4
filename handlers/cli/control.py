"""``keyshift pause``, ``resume`` and ``throttle``: control every process of a migration."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import click

from domain.runs.run import moment_of
from domain.steering.control import Control, Limits
from handlers.cli.options import json_option, with_settings
from handlers.cli.output import say
from handlers.cli.text import parse_bytes
from handlers.config.settings import Settings
from handlers.operations.control import (
    Steered,
    forget_limits,
    pause_migration,
    resume_migration,
    throttle_migration,
)
from handlers.operations.operator_name import operator_name
from handlers.operations.status import ThrottledPlace, throttled_places

NO_LIMIT = "none"
functions_option = click.option(
    "--function",
    "functions",
    multiple=True,
    help="A Lambda function whose event source mappings are switched too.  [env: KEYSHIFT_FUNCTIONS]",
)


class LimitType(click.ParamType[Any]):
    """A number above 0 (bytes also as 50MiB), or ``none``."""

    name = "number|none"

    def __init__(self, parse: Callable[[str], float]) -> None:
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; ``none`` stays a text."""
        if value == NO_LIMIT:
            return NO_LIMIT
        try:
            limit = self._parse(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither a number above 0 nor {NO_LIMIT!r}", param, ctx)
        if not 0 < limit < float("inf"):
            self.fail(f"{value!r} is not above 0; to stop everything use keyshift pause", param, ctx)
        return limit


@click.command()
@click.option(
    "--reason", default="by an operator", show_default=True, help="The reason, shown by status and in the audit."
)
@functions_option
@json_option
@with_settings
def pause(settings: Settings, *, reason: str, functions: tuple[str, ...], as_json: bool) -> None:
    """Stop new work, on workers and on Lambda, within seconds.

    Requests that were sent end. A large copy stops between two batches of parts and continues after resume. Messages
    wait in their queues without using up receives. Event source mappings of the named functions are switched off.

    \b
    Example:
      keyshift pause --reason "KMS key rotation"
      keyshift pause --function keyshift-prod-object-events --function keyshift-prod-backfill
    """
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.steering import steering_of

    settings = _with_functions(settings, functions)
    steering = steering_of(Process(settings))
    done = pause_migration(steering.panel, steering.mappings, reason=reason, by=operator_name(), now=steering.clock.now)
    words = "paused" if done.changed and not done.before.paused else "was paused already"
    _answer(
        done, f"{words}: {done.after.reason} ({done.after.paused_by})", settings, as_json=as_json, verb="switched off"
    )


@click.command()
@functions_option
@json_option
@with_settings
def resume(settings: Settings, *, functions: tuple[str, ...], as_json: bool) -> None:
    """Continue after a pause or after the circuit breaker, within the same limits.

    The breaker counts from zero. Exactly those event source mappings are switched on that pause had switched off.
    Refused once a rollback has begun.

    \b
    Example:
      keyshift resume
    """
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.steering import steering_of

    settings = _with_functions(settings, functions)
    steering = steering_of(Process(settings))
    done = resume_migration(
        steering.panel, steering.mappings, by=operator_name(), now=steering.clock.now, stages=steering.stages
    )
    was = f"resumed; it was paused: {done.before.reason} ({done.before.paused_by})"
    _answer(done, was if done.changed else "was not paused", settings, as_json=as_json, verb="switched on")


@click.command()
@click.option(
    "--objects-per-second",
    type=LimitType(float),
    help="Maximum number of objects begun a second, of the whole migration.",
)
@click.option(
    "--bytes-per-second",
    type=LimitType(parse_bytes),
    help="Maximum number of bytes a second, of the whole migration (50MiB).",
)
@click.option("--concurrency", type=LimitType(int), help="Objects in parallel in each worker or function instance.")
@click.option("--off", is_flag=True, help="Lift every limit that an operator set.")
@click.option(
    "--forget",
    multiple=True,
    metavar="PLACE",
    help="A prefix or a table whose learned limit is dropped, as the command without options names it.",
)
@json_option
@with_settings
def throttle(
    settings: Settings,
    *,
    objects_per_second: Any,
    bytes_per_second: Any,
    concurrency: Any,
    off: bool,
    forget: tuple[str, ...],
    as_json: bool,
) -> None:
    """Set or lift limits while the migration runs; a limit that is not named stays, "none" lifts one.

    All workers and functions share the rates; live events count too. Without an option the limits are shown.

    keyshift learns other limits by itself, each of a prefix or a table for which AWS asked for fewer requests. They end
    by themselves. --off does not lift them; --forget drops one.

    \b
    Example:
      keyshift throttle --objects-per-second 200 --bytes-per-second 50MiB
      keyshift throttle --objects-per-second none
      keyshift throttle --off
      keyshift throttle --forget s3://manufacturing-line-1/models/
    """
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.steering import steering_of

    named = {
        "objects_per_second": objects_per_second,
        "bytes_per_second": bytes_per_second,
        "concurrency": concurrency,
    }
    given = {name: None if limit == NO_LIMIT else limit for name, limit in named.items() if limit is not None}
    if off and given:
        raise click.UsageError("--off lifts every limit: give it alone")
    if forget and (off or given):
        raise click.UsageError("--forget drops learned limits: give it alone")
    steering = steering_of(Process(settings))

    def choose(limits: Limits) -> Limits:
        return Limits() if off else replace(limits, **given)

    if forget:
        forget_limits(steering.panel, forget)
    done = throttle_migration(steering.panel, choose, by=operator_name(), now=steering.clock.now)
    places = throttled_places(done.after.learned, steering.clock.now())
    if as_json:
        changed = done.changed or bool(forget)
        throttled = [asdict(place) for place in places]
        click.echo(json.dumps({"changed": changed, **asdict(done.after.limits), "throttled": throttled}))
        return
    click.echo(said_limits(done.after) or "no limits")
    for place in places:
        say(f"throttled {said_throttled(place)}")


def said_limits(control: Control) -> str:
    """The limits in words; empty where there are none."""
    rates = (("objects/s", control.objects_per_second), ("bytes/s", control.bytes_per_second))
    said = [f"{limit:,.10g} {unit}" for unit, limit in rates if limit is not None]
    if control.concurrency is not None:
        said.append(f"{control.concurrency} objects at once in each process")
    return ", ".join(said)


def said_throttled(place: ThrottledPlace) -> str:
    """What is slowed down, to which rate, why and since when."""
    return (
        f"{place.place}: {place.objects_per_second:,.1f} objects/s, because AWS answered {place.answer}"
        f" (first {moment_of(place.since)}, last {moment_of(place.throttled_at)})"
    )


def _with_functions(settings: Settings, functions: tuple[str, ...]) -> Settings:
    return settings.model_copy(update={"functions": functions}) if functions else settings


def _answer(done: Steered, words: str, settings: Settings, *, as_json: bool, verb: str) -> None:
    if as_json:
        control = {name: value for name, value in asdict(done.after).items() if name != "learned"}
        answer = {"changed": done.changed, **control, "switched": list(done.switched)}
        click.echo(json.dumps(answer))
        return
    say(words)
    for mapping in done.switched:
        click.echo(f"event source mapping {mapping} {verb}")
    if not settings.functions and not done.switched:
        click.echo(
            "no Lambda function is named (KEYSHIFT_FUNCTIONS): workers follow, no event source mapping is switched"
        )
