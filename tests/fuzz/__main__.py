"""``python -m tests.fuzz SECONDS [DECODER]``: each decoder fuzzed with atheris, guided by coverage."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_MEMORY_MIB = 2_048
_SLOWEST_SECONDS = 10


def fuzz(name: str, arguments: list[str]) -> None:
    """Fuzz one decoder in this process; libFuzzer ends it."""
    import atheris

    class Consumed:
        """Dice made of the fuzzer's bytes."""

        def __init__(self, content: bytes) -> None:
            self._provider = atheris.FuzzedDataProvider(content)

        def below(self, sides: int) -> int:
            """See Dice."""
            return int(self._provider.ConsumeIntInRange(0, sides - 1))

    with atheris.instrument_imports(include=["domain", "handlers", "adapters"]):
        from tests.fuzz.decoders import DECODERS  # here for the first time in this process, so instrumented
    decoder = next(one for one in DECODERS if one.name == name)
    atheris.Setup([sys.argv[0], *arguments], lambda content: decoder.try_once(Consumed(content)))
    atheris.Fuzz()


def main() -> int:
    """Each decoder in a process of its own; the exit code says whether one of them fell over."""
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        fuzz(sys.argv[2], sys.argv[3:])
        return 0
    from tests.fuzz.decoders import DECODERS

    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    wanted = sys.argv[2:] or [decoder.name for decoder in DECODERS]
    failed = 0
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            limits = [f"-max_total_time={seconds}", f"-rss_limit_mb={_MEMORY_MIB}", f"-timeout={_SLOWEST_SECONDS}"]
            command = [sys.executable, "-m", "tests.fuzz", "--one", name, folder, *limits, "-print_final_stats=1"]
            command.append(f"-artifact_prefix={folder}/")
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))  # noqa: S603
            figures = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
            runs = figures[0].rpartition(" ")[2] if figures else "?"
            print(f"{name}: {runs} inputs in {seconds} s, {'ok' if done.returncode == 0 else 'FELL OVER'}", flush=True)
            if done.returncode:
                failed += 1
                told = [line for line in done.stderr.splitlines() if not line.startswith("INFO: ")]
                print(done.stdout[-4_000:], *told[:60], sep="\n")
                for artifact in sorted(Path(folder).glob("*-*")):
                    print(f"{artifact.name}: {artifact.read_bytes()!r}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
