"""Logs, metrics and traces: JSON lines with the object as fields, metrics with bounded dimensions."""

import os
import sys
from collections import Counter
from threading import Lock
from typing import TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from domain.errors import InputError
from domain.keys import Location

NAMESPACE = "keyshift"
LEVEL_VARIABLE = "POWERTOOLS_LOG_LEVEL"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_CALLER = 3
"""A line's ``location`` is where the observer was called: two frames above, this module's and the logger's own."""


def log_level() -> str:
    """The least severe level that is written, from POWERTOOLS_LOG_LEVEL; InputError where it is not a valid one."""
    given = os.environ.get(LEVEL_VARIABLE) or "INFO"
    if given.upper() not in LEVELS:
        raise InputError(f"{LEVEL_VARIABLE}={given!r} is not a valid log level: use one of {', '.join(LEVELS)}")
    return given.upper()


class Observer:
    """The log and metrics of one function or worker; keys are JSON fields, never part of a message's text."""

    def __init__(
        self, *, migration: str, function: str, level: str | None = None, stream: TextIO | None = None
    ) -> None:
        self._logger = Logger(
            service=function, level=level or log_level(), stream=stream or sys.stderr, log_uncaught_exceptions=False
        )
        self._logger.append_keys(migration=migration)
        self._migration = migration
        self.function = function
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._counting = Lock()

    def begin(self, context: object) -> None:
        """Start an invocation: every later line names it, as Lambda's own lines do (REPORT RequestId: …)."""
        self._logger.append_keys(function_request_id=getattr(context, "aws_request_id", None))

    def info(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Log what happened."""
        self._logger.info(text, extra=_fields(source, fields), stacklevel=_CALLER)

    def debug(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Log what happened, for a detailed analysis."""
        self._logger.debug(text, extra=_fields(source, fields), stacklevel=_CALLER)

    def warn(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Log something that an operator may want to know."""
        self._logger.warning(text, extra=_fields(source, fields), stacklevel=_CALLER)

    def fail(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Log something that requires an operator's action."""
        self._logger.error(text, extra=_fields(source, fields), stacklevel=_CALLER)

    def crash(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Log a defect of keyshift, with the traceback of the exception being handled."""
        self._logger.error(
            text,
            extra=_fields(source, fields),
            exc_info=True,  # noqa: LOG014  # called from exception handlers
            stacklevel=_CALLER,
        )

    def count(self, name: str, number: int = 1) -> None:
        """Add to a metric; its name comes from a fixed set."""
        with self._counting:
            self._counts[name] += number
            self._totals[name] += number

    def totals(self) -> dict[str, int]:
        """All counts since the start."""
        with self._counting:
            return dict(self._totals)

    def flush(self) -> None:
        """Write the metrics as one EMF line, in Lambda, where CloudWatch reads it."""
        with self._counting:
            counts, self._counts = self._counts, Counter()
        counted = {name: number for name, number in counts.items() if number}
        if not counted or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
            return
        metrics = EphemeralMetrics(namespace=NAMESPACE)
        metrics.add_dimension(name="migration", value=self._migration)
        metrics.add_dimension(name="function", value=self.function)
        for name, number in counted.items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
        metrics.flush_metrics()


def _fields(source: Location | None, fields: dict[str, object]) -> dict[str, object]:
    place = {} if source is None else {"bucket": source.bucket, "object_key": source.key}
    return {**place, **fields}
