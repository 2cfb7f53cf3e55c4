"""The figures of a plan that was saved as Parquet."""

from pathlib import Path
from typing import Any

from adapters.duckdb.parts import is_cut, number_of_parts
from adapters.inventory.rows import plan_inventory
from domain.errors import InputError
from domain.planning.figures import Cutting, PlanFigures, Share

_MOVES = "branch >= 0"


def shares_of_plan(path: Path, rules: list[str], cutting: Cutting = Cutting()) -> PlanFigures:  # noqa: B008  # frozen
    """Objects and bytes of each rule, and what is copied in parts; what the rows do not hold is left at zero.

    ``rules`` names each branch. Raises InputError where the file is no saved plan, or one of other rules.
    """
    import duckdb

    columns = plan_inventory(path, "").columns
    knows_uploads = "is_multipart_uploaded" in columns
    if "size" not in columns:
        raise InputError(f"{path} holds no sizes: plan with an inventory that has the field Size")
    with duckdb.connect() as connection:
        rows: Any = connection.execute(
            f"SELECT branch, count(*), coalesce(sum(size), 0) FROM read_parquet(?) WHERE {_MOVES} GROUP BY branch",
            [str(path)],
        ).fetchall()
        large: Any = connection.execute(
            f"SELECT count(*), coalesce(sum(size), 0), coalesce(sum({number_of_parts(cutting)}), 0) "
            f"FROM read_parquet(?) WHERE {_MOVES} AND {is_cut(cutting, knows_uploads=knows_uploads)}",
            [str(path)],
        ).fetchone()
    shares: dict[str, Share] = {}
    for branch, objects, size in rows:
        if branch >= len(rules):
            raise InputError(f"{path} was made with other rules: it has a branch {branch}, the rules have {len(rules)}")
        before = shares.get(rules[branch], Share())
        shares[rules[branch]] = Share(before.objects + objects, before.size + int(size))
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
        large=Share(large[0], int(large[1])),
        in_parts=nothing,
        archived=nothing,
        parts=int(large[2]),
    )
