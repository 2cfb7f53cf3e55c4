"""The plan's SQL cuts objects as the workers do."""

import duckdb
import pytest

from adapters.duckdb.parts import is_cut, number_of_parts
from domain.parts import GIB, MAX_COPY_BYTES, MIB, cut_into_parts, part_size_for
from domain.planning.figures import Cutting
from domain.protocol.attempt import MigrationPolicy

SIZES = [0, 1, MIB, GIB, GIB + 1, 3 * GIB, 5 * GIB, 5 * GIB + 1, 1_250 * GIB, 1_250 * GIB + 1, 40_000 * GIB]


@pytest.mark.parametrize("cutting", [Cutting(), Cutting(0, 5 * MIB), Cutting(5 * GIB, 200 * MIB + 1)])
def test_sql_and_worker_make_the_same_parts(cutting: Cutting) -> None:
    """The same objects are cut, and each into as many parts."""
    columns = f"size, {is_cut(cutting, knows_uploads=False)}, {number_of_parts(cutting)}"
    rows = duckdb.execute(f"SELECT {columns} FROM (SELECT unnest(?) AS size)", [SIZES]).fetchall()  # noqa: S608  # ours
    for size, cut, parts in rows:
        assert cut == (size > min(cutting.above, MAX_COPY_BYTES))
        wanted = part_size_for(size, wanted=cutting.part_size)
        assert parts == len(cut_into_parts(size, part_size=wanted)), size


def test_the_plan_assumes_what_the_workers_do_unless_told() -> None:
    """Both take their figures from one place."""
    policy = MigrationPolicy()
    assert (Cutting().above, Cutting().part_size) == (policy.multipart_above, policy.part_size)
