"""Options that every command of one migration shares; each has an environment variable of the same meaning."""

from collections.abc import Callable
from functools import wraps
from math import isfinite
from typing import Any, TypeVar

import click

from domain.errors import InputError
from handlers.config.settings import PREFIX, Settings, read_settings

Command = TypeVar("Command", bound=Callable[..., Any])

_SHARED = (
    ("rules_file", "--rules", "The rules file."),
    ("table", "--table", "The manifest table."),
    ("events_queue_url", "--events-queue", "URL of the queue with S3's events."),
    ("backfill_queue_url", "--backfill-queue", "URL of the queue with backfill rows."),
    ("bus", "--bus", "The event bus for audit events."),
    ("audit_bucket", "--audit-bucket", "The bucket of the audit chain."),
    ("region", "--region", "The AWS region."),
    ("endpoint_url", "--endpoint-url", "Custom endpoint URL, for an S3-compatible server or a test."),
)


_NONE = {"rules_file": "none", "table": "none"}
"""Stands for what a command does not read."""


def with_settings(command: Command) -> Command:
    """Give the command a ``settings`` argument, made of its options and the environment."""
    return _with_settings(command, none_needed_for="")


def with_settings_unless(flag: str) -> Callable[[Command], Command]:
    """The same; a command that is called with ``flag`` acts on no migration, so it needs neither rules nor table."""
    return lambda command: _with_settings(command, none_needed_for=flag)


def _with_settings(command: Command, *, none_needed_for: str) -> Command:
    @wraps(command)
    def with_read_settings(*arguments: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name, _, _ in _SHARED}
        needed = {name: value for name, value in given.items() if value is not None}
        if options.get(none_needed_for):
            needed = _NONE | needed
        settings: Settings = read_settings(**needed)
        return command(*arguments, settings=settings, **options)

    decorated: Any = with_read_settings
    for name, flag, text in reversed(_SHARED):
        decorated = click.option(flag, name, help=f"{text}  [env: {PREFIX}{name.upper()}]")(decorated)
    result: Command = decorated
    return result


class Number(click.FloatRange):
    """A number in a range; unlike click's own it refuses nan, which no comparison catches, and infinity."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r} is not a usable number", param, ctx)
        return number


ABOVE_ZERO = Number(min=0, min_open=True)


def whole_number(
    name: str, default: int, text: str, *, least: int = 1, most: int | None = None, envvar: str | None = None
) -> Callable[[Command], Command]:
    """An option with a whole number in a range, whose help ``text`` is followed by the default."""
    kind = click.IntRange(least, most)
    return click.option(name, default=default, show_default=True, type=kind, envvar=envvar, help=text)


def need_queues(settings: Settings, *names: str) -> None:
    """Raise InputError where a queue is not named: without its URL a command cannot know that nothing waits there."""
    missing = [name for name in names if not getattr(settings, f"{name}_queue_url")]
    if missing:
        said = ", ".join(f"--{name}-queue (or {PREFIX}{name.upper()}_QUEUE_URL)" for name in missing)
        raise InputError(f"this command needs the URL of each queue: give {said}")


json_option = click.option("--json", "as_json", is_flag=True, help="For machines: JSON instead of a table.")
