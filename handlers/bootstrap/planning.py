"""What the report reads beside the records: a plan that was saved earlier."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.duckdb.saved_plan import shares_of_plan
from domain.errors import InputError
from domain.planning.estimate import estimate, prices_from
from domain.planning.figures import Share
from domain.reporting.costs import Planned
from domain.rules.compiled import CompiledRules

CONCURRENCY = 100


def read_plan(path: Path, rules: CompiledRules) -> Planned:
    """A plan of ``keyshift plan --json``, or of ``--out``, which holds no prices: today's are taken."""
    if path.suffix == ".parquet":
        figures = shares_of_plan(path, [branch.rule for branch in rules.branches])
        return Planned.of(figures, estimate(figures, prices_from({}), concurrency=CONCURRENCY))
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return _planned(said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no plan of 'keyshift plan --json' or '--out': {error!r}") from error


def _planned(said: Mapping[str, Any]) -> Planned:
    rules = {str(name): Share(int(one["objects"]), int(one["size"])) for name, one in said["rules"].items()}
    moving, cost = said["moving"], said["cost"]
    return Planned(int(moving["objects"]), int(moving["size"]), rules, float(cost["dollars"]), float(cost["seconds"]))
