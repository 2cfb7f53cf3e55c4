"""A bad inventory is one sentence that names file and row, exit code 2, and nothing half-reported."""

import gzip
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from handlers.cli.app import run
from tests.inventories import BUCKET, altered, data_file, resealed, sealed, write_rows

RULES = f"""version: 1
migration: m
source: {{bucket: {BUCKET}}}
target: {{bucket: {BUCKET}}}
rules: [{{name: a, from: "a/{{n*}}", to: "b/{{n}}"}}]
"""
DAMAGED = Path("tests/fuzz/damaged.orc")
ROWS = [{"key": f"a/{number}", "size": number} for number in range(5)]


def refused(folder: Path, manifest: Path | str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence; nothing is printed as a result, and no plan is saved."""
    rules = folder / "rules.yaml"
    rules.write_text(RULES)
    out = folder / "plan.parquet"
    code = run(["plan", str(rules), "--inventory", str(manifest), "--out", str(out)])
    said = capsys.readouterr()
    assert (code, said.out, out.exists()) == (2, "", False), said
    assert len(said.err.strip().splitlines()) == 1, said.err
    return said.err.strip()


def truncate(manifest: Path) -> None:
    """Cut the data file."""
    path = data_file(manifest)
    path.write_bytes(path.read_bytes()[:-3])


def change_a_byte(manifest: Path) -> None:
    """Same length, other content."""
    path = data_file(manifest)
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def remove_column(manifest: Path) -> None:
    """The second file is without its sizes."""
    path = data_file(manifest).with_name("1.parquet")
    duckdb.execute(f"COPY (SELECT '{BUCKET}' AS bucket, 'a/9' AS key) TO '{path}' (FORMAT parquet)")
    resealed(manifest)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (truncate, "0.parquet has"),
        (truncate, "it is truncated or altered"),
        (change_a_byte, "0.parquet has the MD5"),
        (lambda manifest: data_file(manifest).unlink(), "the inventory's data file all/data/0.parquet is missing"),
        (lambda manifest: manifest.unlink(), "manifest.json cannot be read"),
        (lambda manifest: manifest.with_name("manifest.checksum").unlink(), "S3 writes manifest.checksum last"),
        (lambda manifest: manifest.with_name("manifest.checksum").write_text("0" * 32), "does not match its manifest."),
        (remove_column, "1.parquet has no column 'size'"),
        (lambda manifest: altered(manifest, sourceBucket="other"), "the inventory is of bucket other"),
        (lambda manifest: sealed(manifest, "no json"), "manifest.json is not a valid inventory manifest"),
        (lambda manifest: altered(manifest, files=[]), "lists no data files"),
        (lambda manifest: altered(manifest, fileFormat="Avro"), "'Avro' is not one of"),
        (lambda manifest: altered(manifest, fileSchema=None), "'fileSchema' is missing"),
    ],
)
def test_a_bad_report_is_refused_whole(
    tmp_path: Path, harm: Callable[[Path], object], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong with manifest or files is said in one sentence."""
    manifest = write_rows(tmp_path, ROWS, files=2)
    harm(manifest)
    assert says in refused(tmp_path, manifest, capsys)


@pytest.mark.parametrize("file_format", ["ORC", "Parquet"])
def test_a_file_of_another_format_is_named(
    tmp_path: Path, file_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is whole, as its MD5 says, but not what the manifest says."""
    manifest = write_rows(tmp_path, ROWS, file_format=file_format)
    data_file(manifest).write_bytes(b"not at all")
    resealed(manifest)
    assert data_file(manifest).name in refused(tmp_path, manifest, capsys)


def test_a_file_that_ends_its_reader_by_a_signal_does_not_end_us(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pyarrow 26 dies of this one, which atheris found; it is a bad file like any other."""
    manifest = write_rows(tmp_path, ROWS, file_format="ORC")
    data_file(manifest).write_bytes(DAMAGED.read_bytes())
    resealed(manifest)
    sentence = refused(tmp_path, manifest, capsys)
    assert f"{data_file(manifest)} cannot be read as ORC: " in sentence
    assert sentence.endswith("; fetch it again")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (f'"{BUCKET}","a/x"', "row 4: it cannot be read (2 columns, the manifest names 3)"),
        (f'"{BUCKET}","a/x","1","2"', "row 4: it cannot be read (4 columns, the manifest names 3)"),
        (f'"{BUCKET}","a/x","much"', "row 4: it cannot be read (invalid literal"),
        (f'"{BUCKET}","a/%FF","1"', "row 4: it cannot be read ('utf-8' codec"),
        ('"elsewhere","a/x","1"', "row 4: it cannot be read (the row is of bucket 'elsewhere'"),
    ],
)
def test_a_bad_row_of_a_csv_is_named(tmp_path: Path, row: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """File and row, counted from 1."""
    manifest = write_rows(tmp_path, ROWS, file_format="CSV", files=2)
    path = data_file(manifest).with_name("1.csv.gz")
    good = [f'"{BUCKET}","a/{number}","{number}"' for number in range(3)]
    path.write_bytes(gzip.compress("\n".join([*good, row, good[0]]).encode()))
    resealed(manifest)
    sentence = refused(tmp_path, manifest, capsys)
    assert "1.csv.gz, " in sentence
    assert says in sentence


def test_a_gzip_stream_that_ends_early_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its MD5 may be that of the manifest: it was cut before S3 was told."""
    manifest = write_rows(tmp_path, [{"key": f"a/{number}"} for number in range(5000)], file_format="CSV")
    truncate(manifest)
    resealed(manifest)
    assert "0.csv.gz" in refused(tmp_path, manifest, capsys)


def test_no_source_or_two_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Either an inventory or a listing."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    for more in ([], ["--list", "--inventory", "x"]):
        assert run(["plan", str(rules), *more]) == 2
        assert "either --inventory MANIFEST or --list" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "cannot be read"),
        ("- 1", "must contain a mapping"),
        ("no_such: 1", "there is no price named 'no_such'"),
    ],
)
def test_wrong_prices_are_refused(tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is counted."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    prices = tmp_path / "prices.yaml"
    prices.write_text(text)
    assert run(["plan", str(rules), "--list", "--prices", str(prices)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("column", ["is_latest", "is_delete_marker", "is_multipart_uploaded"])
def test_a_flag_that_is_neither_true_nor_false_is_named(
    tmp_path: Path, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, row and what it holds; it is not taken for one of the two."""
    manifest = write_rows(tmp_path, [{"key": "a/1", column: True}], file_format="CSV")
    data_file(manifest).write_bytes(gzip.compress(f'"{BUCKET}","a/1","true"\n"{BUCKET}","a/2","perhaps"'.encode()))
    resealed(manifest)
    assert f"row 2: it cannot be read (its {column} is 'perhaps', neither true nor false)" in refused(
        tmp_path, manifest, capsys
    )
