"""Logs and metrics: JSON lines with the object and the migration, metrics with bounded dimensions."""

import os
import sys
from collections import Counter

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from domain.keys import Location

NAMESPACE = "keyshift"


class Observer:
    """Where one function or worker says what it does; keys are JSON fields, never part of a message text."""

    def __init__(self, *, migration: str, function: str, level: str = "INFO") -> None:
        self._logger = Logger(service=function, level=level, stream=sys.stderr, log_uncaught_exceptions=False)
        self._logger.append_keys(migration=migration)
        self._migration = migration
        self._function = function
        self._counts: Counter[str] = Counter()

    def info(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Say what happened."""
        self._logger.info(text, extra=_fields(source, fields))

    def debug(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Say what happened, for whoever looks closely."""
        self._logger.debug(text, extra=_fields(source, fields))

    def warn(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Say what somebody may want to know."""
        self._logger.warning(text, extra=_fields(source, fields))

    def fail(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Say what somebody has to do something about."""
        self._logger.error(text, extra=_fields(source, fields))

    def count(self, name: str, number: int = 1) -> None:
        """Add to a metric; its name comes from a fixed set."""
        self._counts[name] += number

    def flush(self) -> None:
        """Write the metrics as one EMF line, where CloudWatch reads it; elsewhere they are dropped."""
        counts, self._counts = self._counts, Counter()
        if not counts or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
            return
        metrics = Metrics(namespace=NAMESPACE, service=self._function)
        metrics.add_dimension(name="migration", value=self._migration)
        for name, number in counts.items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
        metrics.flush_metrics()


def _fields(source: Location | None, fields: dict[str, object]) -> dict[str, object]:
    place = {} if source is None else {"bucket": source.bucket, "key": source.key}
    return {**place, **fields}
