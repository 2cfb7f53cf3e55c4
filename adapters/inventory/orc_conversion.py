"""ORC files made into Parquet by a separate process: a damaged or hostile file can end only that process.

pyarrow's ORC reader (26.0.1) is ended by a signal on some damaged files (``make fuzz``), which no ``except`` sees.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from domain.errors import InputError

_LONGEST_SECONDS = 840
"""What is left of a Lambda function's 15 minutes for one file; a file of a report takes seconds."""
_NOT_WRITTEN = 3
"""The exit code for a target that cannot be written: no fault of the file, so another remedy. stderr is the errno."""
_MOST_MEMORY = 8 * 1024**3
"""Bytes of addresses; a damaged file may claim any size."""


def write_as_parquet(source: Path, target: Path) -> None:
    """Write the rows of an ORC file, in their order, as a Parquet file.

    Raises InputError naming the file where it cannot be read, or where reading it ends or outlasts its process, and
    OSError naming the target where that cannot be written.
    """
    # -P: a folder named ``adapters`` in the working directory must not be imported.
    command = [sys.executable, "-P", "-m", "adapters.inventory.orc_conversion", str(source), str(target)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603  # ourselves
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = f"{source} could not be read as ORC within {_LONGEST_SECONDS} seconds; fetch it again, or take CSV"
        raise InputError(why) from None
    if done.returncode == _NOT_WRITTEN:
        number = int(done.stderr.split()[-1])
        raise OSError(number, os.strerror(number), str(target))
    if done.returncode == -signal.SIGKILL:
        raise InputError(
            f"{source} could not be read as ORC: its reader was killed; give it more memory, then run again"
        )
    if done.returncode:
        raise InputError(f"{source} cannot be read as ORC: {_reason(done.returncode, done.stderr)}; fetch it again")


def _reason(code: int, said: str) -> str:
    if code < 0:
        return f"its reader was ended by {signal.Signals(-code).name}, the file is damaged"
    return next((line for line in reversed(said.splitlines()) if line.strip()), f"its reader ended with {code}")


def _convert(source: str, target: str) -> None:
    from pyarrow import Table
    from pyarrow.orc import ORCFile
    from pyarrow.parquet import ParquetWriter

    file = ORCFile(source)
    with ParquetWriter(target, file.schema) as writer:
        for stripe in range(file.nstripes):
            writer.write_table(Table.from_batches([file.read_stripe(stripe)]))


if __name__ == "__main__":
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    try:
        _convert(sys.argv[1], sys.argv[2])
    except (OSError, ValueError, KeyError, OverflowError, MemoryError, NotImplementedError) as error:
        # The source was read before (its MD5 fits), and pyarrow's own refusals have no number.
        if isinstance(error, OSError) and error.errno:
            sys.stderr.write(f"{error.errno}")
            sys.exit(_NOT_WRITTEN)
        sys.exit(str(error).strip().partition("\n")[0] or type(error).__name__)
