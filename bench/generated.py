"""Makes the inventory in a process of its own: a child's peak memory counts what its parent had when it was started."""

import subprocess
import sys
from pathlib import Path

ROWS_PER_FILE = 10_000_000
_CODE = """import sys
from pathlib import Path
from tests.inventories import write_inventory
print(write_inventory(Path(sys.argv[1]), file_format=sys.argv[2], rows=int(sys.argv[3]), files=int(sys.argv[4])))
"""


def generated(folder: Path, file_format: str, rows: int) -> Path:
    """Where the manifest is."""
    command = [sys.executable, "-c", _CODE, str(folder), file_format, str(rows), str(-(-rows // ROWS_PER_FILE))]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
