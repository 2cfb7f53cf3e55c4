"""Counts a whole key set in DuckDB: one mapping pass into a narrow table, everything else from that."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from adapters.duckdb.history import history_note, history_of
from adapters.duckdb.inventory import COLUMNS, IS_MARKER, IS_PLAIN, connect, inventory_sql
from adapters.duckdb.lake_tables import lake_table_sql
from adapters.duckdb.mapping import KEPT, NO_BRANCH, REJECTED, layout_sql, mapped_sql, register_one_key_mapping
from adapters.duckdb.requests import IS_ARCHIVED, UPLOADED_IN_PARTS, is_cut, number_of_parts, number_of_reads
from adapters.duckdb.rows import batched, read_one_by_one, saved_whole
from adapters.inventory.files import LocalInventory
from domain.errors import InputError
from domain.objects import ListedObject
from domain.planning.figures import EARLY_DELETION_DAYS, Collision, Cutting, EarlyDeletion, PlanFigures, Shape
from domain.planning.ports import ObjectListing, VersionListing
from domain.planning.shares import Share
from domain.rules.compiled import CompiledRules
from domain.rules.lake_tables import LakeTable, TableFormat, folders_of

SHOWN = 20
NO_FOLDER = "//"
"""A text with which no root of a table begins: DuckDB's function for lists answers NULL for an empty one."""
_LOCKED = "coalesce(object_lock_mode, '') <> '' OR upper(coalesce(object_lock_legal_hold_status, '')) = 'ON'"
_SHAPE = (
    "regexp_replace(regexp_replace(left(key, 200), '[0-9a-fA-F]{8,}(-[0-9a-fA-F]{4,})*', '<id>', 'g'), "
    "'[0-9]+', '<n>', 'g')"
)

_SUSPECTED = "hash(key) IN (SELECT source_hash FROM suspected_sources)"


@dataclass(frozen=True, slots=True)
class _KeySet:
    """SQL of the rows, their time (UTC), and whether a second read of them costs too much.

    ``earlier`` versions are known where every version is carried and the rows tell of them. Then each row says by
    IS_MARKER whether it is of a delete marker.
    """

    sql: str
    earlier: str | None = None
    taken_at: float | None = None
    read_once: bool = False


class DuckDbPlanner:
    """Plans from an inventory or a listing; reads only, spills to ``folder`` beyond ``memory``."""

    def __init__(self, rules: CompiledRules, *, memory: str = "2GB", threads: int | None = None) -> None:
        self._rules = rules
        self._memory = memory
        self._threads = threads

    def plan_inventory(self, local: LocalInventory, *, cutting: Cutting, out: Path | None = None) -> PlanFigures:
        """The figures of an inventory; with ``out`` every row and its target is written there as Parquet."""
        if local.inventory.source_bucket != self._rules.source_bucket:
            raise InputError(
                f"the inventory is of bucket {local.inventory.source_bucket}, the rules move {self._rules.source_bucket}"
            )
        with saved_whole(out) as partial, self._connection() as connection:
            try:
                rows = inventory_sql(connection, local, with_versions=self._rules.carries_versions)
                read_once = local.inventory.file_format == "CSV"
                keys = _KeySet(rows.current, rows.earlier, local.inventory.created_at, read_once=read_once)
                return self._plan(connection, keys, cutting, partial)
            except duckdb.Error:
                read_one_by_one(local)
                raise

    def plan_listing(self, listing: ObjectListing, *, cutting: Cutting, out: Path | None = None) -> PlanFigures:
        """The figures of a listing of the source bucket."""
        rows = listing.list_objects(self._rules.source_bucket, prefix=self._rules.source_prefix)
        return self._plan_listed(rows, cutting, out)

    def plan_versions(self, listing: VersionListing, *, cutting: Cutting, out: Path | None = None) -> PlanFigures:
        """The figures of a listing of every version in the source bucket."""
        rows = listing.list_versions(self._rules.source_bucket, prefix=self._rules.source_prefix)
        return self._plan_listed(rows, cutting, out, with_versions=True)

    def _plan_listed(
        self, listed: Iterable[ListedObject], cutting: Cutting, out: Path | None, *, with_versions: bool = False
    ) -> PlanFigures:
        import pyarrow as pa

        with saved_whole(out) as partial, self._connection() as connection:
            connection.execute(
                "CREATE TEMP TABLE listed (key VARCHAR, size BIGINT, e_tag VARCHAR, storage_class VARCHAR, "
                f"is_latest BOOLEAN, {IS_MARKER} BOOLEAN)"
            )
            for rows in batched(listed):
                connection.register("batch", pa.Table.from_pylist(rows))
                connection.execute("INSERT INTO listed BY NAME SELECT * FROM batch")
                connection.unregister("batch")
            if not with_versions:
                return self._plan(connection, _KeySet(_listed_sql("is_latest")), cutting, partial)
            current, earlier = (_listed_sql(rows, IS_MARKER) for rows in ("is_latest", "NOT is_latest"))
            return self._plan(connection, _KeySet(current, earlier), cutting, partial)

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with tempfile.TemporaryDirectory(prefix="keyshift-plan-") as folder:
            connection = connect(memory=self._memory, threads=self._threads, folder=folder)
            connection.execute(f"ATTACH '{folder}/plan.duckdb' AS spill")
            connection.execute("USE spill")
            register_one_key_mapping(connection, self._rules)
            try:
                yield connection
            except duckdb.Error as error:
                raise InputError(f"the key set cannot be read: {str(error).strip().splitlines()[0]}") from error
            finally:
                connection.close()

    def _plan(
        self, connection: duckdb.DuckDBPyConnection, keys: _KeySet, cutting: Cutting, out: Path | None
    ) -> PlanFigures:
        mapped = mapped_sql(self._rules, keys.sql)
        again = "facts" if keys.read_once else f"({keys.sql})"
        suspected = mapped_sql(self._rules, f"SELECT key FROM {again} WHERE {_SUSPECTED}")
        history = None
        if keys.earlier is not None:
            history = history_of(connection, self._rules, current=keys.sql, earlier=keys.earlier, cutting=cutting)
        if out is not None:
            quoted = str(out).replace("'", "''")
            # The saved rows are those to be enqueued. What earlier versions cost is beside them.
            beside = history_note(history) if history is not None else ""
            connection.execute(
                f"COPY (SELECT * FROM ({mapped})) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd{beside})"
            )
            mapped = f"SELECT * FROM read_parquet('{quoted}')"
            suspected = f"{mapped} WHERE {_SUSPECTED}"
        # Only what the figures need: a hash stands for a key or target, so that memory does not grow with key length.
        # A packed CSV is read only once, so its keys are kept for the few that are read again.
        kept_keys = "key" if keys.read_once else f"CASE WHEN branch IN ({NO_BRANCH}, {REJECTED}) THEN key END AS key"
        connection.execute(
            f"""CREATE TABLE facts AS SELECT branch, size, storage_class, encryption_status,
              {UPLOADED_IN_PARTS} AS in_parts, {IS_ARCHIVED} AS archived, ({_LOCKED}) AS locked, {is_cut(cutting)} AS cut,
              {number_of_reads(cutting, self._rules)} AS reads, coalesce({IS_PLAIN}, false) AS plain, hash(key) AS source_hash, hash(target) AS target_hash,
              {_early_days(keys.taken_at)} AS early_days, {lake_table_sql()} AS lake_table,
              {IS_MARKER if keys.earlier is not None else "false"} AS deleted, {kept_keys} FROM ({mapped})"""
        )
        # A deleted key that moves is not an object, but its target may meet another one.
        connection.execute("CREATE VIEW objects AS SELECT * FROM facts WHERE NOT (deleted AND branch >= 0)")
        shares = self._shares(connection)
        colliding, collisions = self._collisions(connection, suspected)
        special = self._row(
            connection,
            f"""SELECT count(*) FILTER (cut), coalesce(sum(size) FILTER (cut), 0),
              count(*) FILTER (in_parts), coalesce(sum(size) FILTER (in_parts), 0),
              count(*) FILTER (archived), coalesce(sum(size) FILTER (archived), 0), count(*) FILTER (locked),
              coalesce(sum({number_of_parts(cutting)}) FILTER (cut), 0), coalesce(sum(reads), 0),
              count(*) FILTER (plain)
              FROM objects WHERE branch >= 0""",
        )
        tables = self._lake_tables(connection)
        rules: dict[str, Share] = {name: Share() for name in self._rules.rules}
        for index, branch in enumerate(self._rules.branches):
            share = shares.get(index, Share())
            known = rules[branch.rule]
            rules[branch.rule] = Share(known.objects + share.objects, known.size + share.size)
        return PlanFigures(
            rules=rules,
            kept=shares.get(KEPT, Share()),
            unmapped=shares.get(NO_BRANCH, Share()),
            rejected=shares.get(REJECTED, Share()),
            rejected_examples=tuple(
                str(row[0])
                for row in connection.execute(
                    f"SELECT key FROM facts WHERE branch = {REJECTED} ORDER BY key LIMIT {SHOWN}"
                ).fetchall()
            ),
            shapes=self._shapes(connection),
            collisions=collisions,
            colliding_targets=colliding,
            large=Share(special[0], special[1]),
            in_parts=Share(special[2], special[3]),
            archived=Share(special[4], special[5]),
            locked=special[6],
            parts=int(special[7]),
            reads=int(special[8]),
            plain=int(special[9]),
            storage_classes=self._classes(connection),
            encryption=self._encryption(connection),
            early_deletion=self._early_deletion(connection),
            refused=self._refused(connection, shares.get(NO_BRANCH, Share())),
            lake_table_count=tables[0],
            lake_tables=tables[1],
            carries_versions=self._rules.carries_versions,
            history=history,
        )

    def _refused(self, connection: duckdb.DuckDBPyConnection, unmapped: Share) -> int:
        """How many unmapped objects are a mistake; in one bucket those at keys of the new layout are copies."""
        if self._rules.unmapped != "fail":
            return 0
        if self._rules.source_bucket != self._rules.target_bucket:
            return unmapped.objects
        refused = f"SELECT count(*) FROM facts WHERE branch = {NO_BRANCH} AND NOT {layout_sql(self._rules)}"
        return int(self._row(connection, refused)[0])

    def _lake_tables(self, connection: duckdb.DuckDBPyConnection) -> tuple[int, tuple[LakeTable, ...]]:
        """How many tables the keys tell of, without those that the rules file accepts, and the first of them."""
        accepted = tuple(folders_of(self._rules.accepted_tables))
        rows = connection.execute(
            f"""SELECT lake_table.root AS root, lake_table.format, count(*) OVER () FROM
              (SELECT DISTINCT lake_table FROM facts WHERE lake_table IS NOT NULL)
              WHERE NOT list_bool_or(list_transform(?::VARCHAR[], lambda folder: starts_with(root, folder)))
              ORDER BY 1, 2 LIMIT {SHOWN}""",
            [[*accepted, NO_FOLDER]],
        ).fetchall()
        found = tuple(LakeTable(str(root), TableFormat(str(kind))) for root, kind, _ in rows)
        return (int(rows[0][2]) if rows else 0), found

    @staticmethod
    def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
        row = connection.execute(sql).fetchone()
        return tuple(row or ())

    @staticmethod
    def _shares(connection: duckdb.DuckDBPyConnection) -> Mapping[int, Share]:
        rows = connection.execute(
            "SELECT branch, count(*), coalesce(sum(size), 0) FROM objects GROUP BY branch"
        ).fetchall()
        return {int(row[0]): Share(int(row[1]), int(row[2])) for row in rows}

    @staticmethod
    def _classes(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Share]:
        rows = connection.execute(
            "SELECT storage_class, count(*), coalesce(sum(size), 0) FROM objects WHERE branch >= 0 GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return {str(row[0] or "unknown"): Share(int(row[1]), int(row[2])) for row in rows}

    @staticmethod
    def _early_deletion(connection: duckdb.DuckDBPyConnection) -> Mapping[str, EarlyDeletion]:
        classes = ", ".join(f"'{name}'" for name in EARLY_DELETION_DAYS)
        rows = connection.execute(
            f"""SELECT storage_class, coalesce(sum(size * early_days), 0) / 1073741824.0,
              count(*) FILTER (early_days IS NULL) FROM objects
              WHERE branch >= 0 AND storage_class IN ({classes}) GROUP BY 1 ORDER BY 1"""
        ).fetchall()
        return {str(row[0]): EarlyDeletion(float(row[1]), int(row[2])) for row in rows}

    @staticmethod
    def _encryption(connection: duckdb.DuckDBPyConnection) -> Mapping[str, int]:
        rows = connection.execute(
            "SELECT encryption_status, count(*) FROM objects WHERE branch >= 0 GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return {str(row[0] or "unknown"): int(row[1]) for row in rows}

    @staticmethod
    def _shapes(connection: duckdb.DuckDBPyConnection) -> tuple[Shape, ...]:
        rows = connection.execute(
            f"""SELECT {_SHAPE} AS shape, count(*) AS objects, min(key) FROM facts WHERE branch = {NO_BRANCH}
              GROUP BY 1 ORDER BY objects DESC, shape LIMIT {SHOWN}"""
        ).fetchall()
        return tuple(Shape(str(row[0]), int(row[1]), str(row[2])) for row in rows)

    def _collisions(self, connection: duckdb.DuckDBPyConnection, suspected: str) -> tuple[int, tuple[Collision, ...]]:
        """Targets of two objects, or of one object where another one is already."""
        same_bucket = self._rules.source_bucket == self._rules.target_bucket
        twice = "SELECT target_hash AS place FROM facts WHERE branch >= 0 GROUP BY 1 HAVING count(*) > 1"
        there = (
            "UNION SELECT source_hash FROM facts SEMI JOIN (SELECT target_hash FROM facts WHERE branch >= 0) AS targets "
            "ON facts.source_hash = targets.target_hash"
            if same_bucket
            else ""
        )
        connection.execute(f"CREATE TABLE suspects AS {twice} {there}")
        if not self._row(connection, "SELECT count(*) FROM suspects")[0]:
            return 0, ()
        connection.execute(
            """CREATE TABLE suspected_sources AS SELECT source_hash FROM facts SEMI JOIN suspects
              ON facts.target_hash = suspects.place WHERE branch >= 0 UNION SELECT place FROM suspects"""
        )
        # Equal hashes are only suspects (1,084 of 300,000 keys that differ in two digits had another's hash): the keys
        # themselves decide, and only theirs are mapped a second time.
        occupied = (
            "UNION ALL SELECT key AS place, key, 0 FROM rows SEMI JOIN suspects ON hash(rows.key) = suspects.place"
            if same_bucket
            else ""
        )
        connection.execute(
            f"""CREATE TABLE meetings AS WITH rows AS ({suspected})
              SELECT place, list(key ORDER BY key)[1:{SHOWN}] AS keys, count(*) > sum(moves) AS occupied FROM (
                SELECT target AS place, key, 1 AS moves FROM rows SEMI JOIN suspects ON hash(rows.target) = suspects.place
                WHERE target IS NOT NULL {occupied})
              GROUP BY place HAVING sum(moves) > 1 OR (sum(moves) > 0 AND count(*) > sum(moves))"""
        )
        number = int(self._row(connection, "SELECT count(*) FROM meetings")[0])
        rows = connection.execute(f"SELECT * FROM meetings ORDER BY place LIMIT {SHOWN}").fetchall()
        return number, tuple(Collision(str(row[0]), tuple(row[1]), bool(row[2])) for row in rows)


def _listed_sql(where: str, *more: str) -> str:
    """SQL of some rows of a listing as those of an inventory: what a listing does not say is NULL."""
    said = ("key", "size", "e_tag", "storage_class", *more)
    nothing = (f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items() if name not in said)
    return f"SELECT {', '.join((*said, *nothing))}, false AS {IS_PLAIN} FROM listed WHERE {where}"


def _early_days(at: float | None) -> str:
    """Days (SQL) that S3 would still bill for a source deleted at the time of the inventory; NULL for an unknown age."""
    if at is None:
        return "NULL::BIGINT"
    least = " ".join(f"WHEN '{name}' THEN {days}" for name, days in EARLY_DELETION_DAYS.items())
    age = f"date_diff('day', last_modified_date, to_timestamp({at})::TIMESTAMP)"
    # greatest() would read an unknown age as 0.
    return f"CASE WHEN last_modified_date IS NOT NULL THEN greatest(0, (CASE storage_class {least} END) - {age}) END"
