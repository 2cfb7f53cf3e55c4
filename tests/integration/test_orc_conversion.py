"""What an ORC file is made into, and who is to blame where it is not."""

import errno
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from adapters.inventory.orc_conversion import write_as_parquet
from domain.errors import InputError
from tests.inventories import data_file, write_rows

ROWS = [{"key": f"a/{number}", "size": number} for number in range(5)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An ORC file that can be read."""
    return data_file(write_rows(tmp_path, ROWS, file_format="ORC"))


def test_the_rows_come_in_their_order_wherever_the_command_is_called(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder there of the name of our package is not run."""
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "__init__.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    write_as_parquet(source, tmp_path / "made")
    assert pyarrow.parquet.read_table(tmp_path / "made")["key"].to_pylist() == [row["key"] for row in ROWS]


def test_a_full_disk_is_no_fault_of_the_file(source: Path) -> None:
    """It is said of what could not be written, and fetching the report again would not help."""
    with pytest.raises(OSError, match="No space left") as caught:
        write_as_parquet(source, Path("/dev/full"))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


def test_a_reader_that_was_killed_needs_memory(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel kills whoever takes too much."""
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(
        InputError, match=f"{source} could not be read as ORC: its reader was killed; give it more memory"
    ):
        write_as_parquet(source, tmp_path / "made")
