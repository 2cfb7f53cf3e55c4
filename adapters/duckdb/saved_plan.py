"""The figures of a plan that was saved as Parquet."""

from pathlib import Path
from typing import Any

from adapters.duckdb.history import noted_history
from adapters.duckdb.inventory import COLUMNS, IS_MARKER, IS_PLAIN
from adapters.duckdb.requests import IS_ARCHIVED, is_cut, number_of_parts, number_of_reads
from adapters.inventory.rows import plan_inventory
from domain.errors import InputError
from domain.planning.figures import Cutting, PlanFigures
from domain.planning.shares import Share
from domain.rules.compiled import CompiledRules

_COLUMNS = COLUMNS | {IS_PLAIN: "BOOLEAN", "branch": "INTEGER"}


def shares_of_plan(path: Path, rules: CompiledRules, cutting: Cutting = Cutting()) -> PlanFigures:  # noqa: B008  # frozen
    """Objects and bytes of each rule, what is copied in parts, and the reads; what else there is is left at zero.

    Raises InputError where the file is not a saved plan, or one of other rules.
    """
    import duckdb

    present = plan_inventory(path, "").columns
    if "size" not in present:
        raise InputError(f"{path} has no sizes: plan with an inventory that has the field Size")
    columns = [f"{IS_MARKER if IS_MARKER in present else 'false'} AS {IS_MARKER}"]
    columns += [name if name in present else f"CAST(NULL AS {kind}) AS {name}" for name, kind in _COLUMNS.items()]
    cut = f"FILTER ({is_cut(cutting)})"
    with duckdb.connect() as connection:
        rows: Any = connection.execute(
            f"""SELECT branch, count(*), coalesce(sum(size), 0), count(*) {cut}, coalesce(sum(size) {cut}, 0),
              coalesce(sum({number_of_parts(cutting)}) {cut}, 0), count(*) FILTER ({IS_ARCHIVED}),
              coalesce(sum(size) FILTER ({IS_ARCHIVED}), 0), sum({number_of_reads(cutting, rules)})
              FROM (SELECT {", ".join(columns)} FROM read_parquet(?)) WHERE branch >= 0 AND NOT {IS_MARKER}
              GROUP BY branch""",
            [str(path)],
        ).fetchall()
    shares: dict[str, Share] = {}
    for branch, objects, size, *_ in rows:
        if branch >= len(rules.branches):
            known = len(rules.branches)
            raise InputError(f"{path} was made with other rules: it has a branch {branch}, the rules have {known}")
        name = rules.branches[branch].rule
        before = shares.get(name, Share())
        shares[name] = Share(before.objects + objects, before.size + int(size))
    large, large_size, parts, archived, archived_size, reads = (sum(int(row[at]) for row in rows) for at in range(3, 9))
    nothing = Share()
    return PlanFigures(
        rules=shares,
        kept=nothing,
        unmapped=nothing,
        rejected=nothing,
        rejected_examples=(),
        shapes=(),
        collisions=(),
        colliding_targets=0,
        large=Share(large, large_size),
        in_parts=nothing,
        archived=Share(archived, archived_size),
        parts=parts,
        reads=reads,
        carries_versions=rules.carries_versions,
        history=noted_history(path) if rules.carries_versions else None,
    )
