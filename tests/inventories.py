"""Inventory reports as S3 writes them, in its three formats, of given rows or of very many generated ones."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import md5
from pathlib import Path

import duckdb

BUCKET = "manufacturing-line-1"
COLUMNS = {
    "bucket": "VARCHAR",
    "key": "VARCHAR",
    "version_id": "VARCHAR",
    "is_latest": "BOOLEAN",
    "is_delete_marker": "BOOLEAN",
    "size": "BIGINT",
    "e_tag": "VARCHAR",
    "storage_class": "VARCHAR",
    "is_multipart_uploaded": "BOOLEAN",
    "encryption_status": "VARCHAR",
    "object_lock_mode": "VARCHAR",
    "object_lock_retain_until_date": "VARCHAR",
    "object_lock_legal_hold_status": "VARCHAR",
    "intelligent_tiering_access_tier": "VARCHAR",
    "last_modified_date": "TIMESTAMP",
}
"""The columns in their order, in the Parquet form's spelling."""
_ENDINGS = {"CSV": "csv.gz", "ORC": "orc", "Parquet": "parquet"}
_GENERATED = """CREATE OR REPLACE VIEW inv AS SELECT '{bucket}' AS bucket, CASE (i % 10)
  WHEN 0 THEN 'datasets//training-output/cookie-' || (20251211000000 + i) || '/output/model.tar.gz'
  WHEN 1 THEN 'datasets//compilation-output/cookie-' || i || '/model-jetson-xavier.tar.gz'
  WHEN 2 THEN 'model_artifacts/model-' || lower(right('000000000000' || hex(i), 12)) || '/'
    || lower(right('000000000000' || hex(i), 12)) || '_greengrass_model_component.zip'
  WHEN 3 THEN 'datasets/raw/line/' || i || '.jpg'
  WHEN 4 THEN 'datasets/img ' || i || '+é.jpg'
  WHEN 5 THEN 'logs/2024/' || i || '.gz'
  WHEN 6 THEN 'training-output/job' || i || '/checkpoints/ckpt-' || i
  ELSE 'datasets/labeled/' || i || '/image.png' END AS key,
  (1000 + i)::BIGINT AS size, md5(i::VARCHAR) AS e_tag,
  CASE WHEN i % 1000 = 7 THEN 'GLACIER' ELSE 'STANDARD' END AS storage_class, i % 100 = 0 AS is_multipart_uploaded
  FROM range({first}, {last}) t(i)"""


def write_inventory(folder: Path, *, file_format: str, rows: int, files: int = 1) -> Path:
    """Generate ``rows`` rows like the portal's bucket, in so many files; where the manifest is."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    columns = ("bucket", "key", "size", "e_tag", "storage_class", "is_multipart_uploaded")
    paths = _data_paths(folder, file_format, files)
    for number, path in enumerate(paths):
        first, last = rows * number // files, rows * (number + 1) // files
        connection.execute(_GENERATED.format(bucket=BUCKET, first=first, last=last))
        _write_data(connection, path, file_format, columns, "true")
    return _manifest(folder, file_format, columns, paths)


def write_rows(
    folder: Path, rows: Iterable[Mapping[str, object]], *, file_format: str = "Parquet", files: int = 1
) -> Path:
    """Write these rows, with the columns that any of them has; where the manifest is."""
    given = list(rows)
    named = {"bucket", "key"}.union(*given)
    columns = [name for name in COLUMNS if name in named]
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE inv ({', '.join(f'{name} {COLUMNS[name]}' for name in columns)})")
    values = [[({"bucket": BUCKET} | dict(row)).get(name) for name in columns] for row in given]
    connection.executemany(f"INSERT INTO inv VALUES ({', '.join('?' * len(columns))})", values)  # noqa: S608
    return _written(connection, folder, file_format, columns, files)


def write_selected(folder: Path, select: str, *, file_format: str) -> Path:
    """Write the rows of a SELECT of DuckDB, which names columns as COLUMNS does; where the manifest is."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"CREATE TABLE inv AS {select}")
    columns = [str(row[0]) for row in connection.execute("DESCRIBE inv").fetchall()]
    return _written(connection, folder, file_format, columns, 1)


def sealed(manifest: Path, content: str) -> Path:
    """Give the manifest this content and the checksum that fits it."""
    manifest.write_text(content)
    manifest.with_name("manifest.checksum").write_text(md5(content.encode(), usedforsecurity=False).hexdigest())
    return manifest


def altered(manifest: Path, **changes: object) -> Path:
    """Change the manifest's entries, with a checksum that fits; None removes the entry."""
    content = json.loads(manifest.read_text()) | changes
    return sealed(manifest, json.dumps({name: value for name, value in content.items() if value is not None}))


def resealed(manifest: Path) -> Path:
    """Make the manifest fit data files that a test has written anew."""
    files = [_entry(path) for path in sorted((manifest.parent.parent / "data").iterdir())]
    return altered(manifest, files=files)


def data_file(manifest: Path) -> Path:
    """The first data file."""
    return min((manifest.parent.parent / "data").iterdir())


def _written(
    connection: duckdb.DuckDBPyConnection, folder: Path, file_format: str, columns: Sequence[str], files: int
) -> Path:
    paths = _data_paths(folder, file_format, files)
    for number, path in enumerate(paths):
        _write_data(connection, path, file_format, columns, f"rowid % {files} = {number}")
    return _manifest(folder, file_format, columns, paths)


def _data_paths(folder: Path, file_format: str, files: int) -> list[Path]:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    return [folder / "data" / f"{number}.{_ENDINGS[file_format]}" for number in range(files)]


def _manifest(folder: Path, file_format: str, columns: Sequence[str], paths: Sequence[Path]) -> Path:
    (folder / "2026-11-22T01-00Z").mkdir(exist_ok=True)
    content = {
        "sourceBucket": BUCKET,
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": "1763773200000",
        "fileFormat": file_format,
        "fileSchema": _schema(file_format, columns),
        "files": [_entry(path) for path in paths],
    }
    return sealed(folder / "2026-11-22T01-00Z" / "manifest.json", json.dumps(content))


def _write_data(
    connection: duckdb.DuckDBPyConnection, path: Path, file_format: str, columns: Sequence[str], where: str
) -> None:
    if file_format == "CSV":
        # As S3 encodes: a slash stays, a space is a plus sign.
        encoded = "replace(replace(url_encode(key), '%2F', '/'), '%20', '+') AS key"
        texts = [encoded if name == "key" else f"coalesce({name}::VARCHAR, '') AS {name}" for name in columns]
        connection.execute(
            f"COPY (SELECT {', '.join(texts)} FROM inv WHERE {where}) TO '{path}' "  # noqa: S608
            "(FORMAT csv, HEADER false, FORCE_QUOTE *, COMPRESSION gzip)"
        )
    elif file_format == "Parquet":
        # As S3's schema says, TIMESTAMP(MILLIS,true): a moment in UTC.
        dated = "* REPLACE (last_modified_date AT TIME ZONE 'UTC' AS last_modified_date)"
        shown = dated if "last_modified_date" in columns else "*"
        connection.execute(f"COPY (SELECT {shown} FROM inv WHERE {where}) TO '{path}' (FORMAT parquet)")  # noqa: S608
    else:
        import pyarrow.orc

        table = connection.sql(f"SELECT * FROM inv WHERE {where}").to_arrow_table()  # noqa: S608
        pyarrow.orc.write_table(table, str(path))


def _schema(file_format: str, columns: Sequence[str]) -> str:
    if file_format == "CSV":
        return ", ".join("ETag" if name == "e_tag" else name.title().replace("_", "") for name in columns)
    if file_format == "ORC":
        kinds = {"VARCHAR": "string", "BIGINT": "bigint", "BOOLEAN": "boolean", "TIMESTAMP": "timestamp"}
        return f"struct<{','.join(f'{name}:{kinds[COLUMNS[name]]}' for name in columns)}>"
    kinds = {
        "VARCHAR": "binary {} (UTF8)",
        "BIGINT": "int64 {}",
        "BOOLEAN": "boolean {}",
        "TIMESTAMP": "int64 {} (TIMESTAMP_MILLIS)",
    }
    return (
        f"message s3.inventory {{ {' '.join(f'optional {kinds[COLUMNS[name]].format(name)};' for name in columns)} }}"
    )


def _entry(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    checksum = md5(content, usedforsecurity=False).hexdigest()
    return {"key": f"all/data/{path.name}", "size": len(content), "MD5checksum": checksum}
