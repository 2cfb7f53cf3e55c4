"""``python -m bench imports``: what each function's handler imports, by package, beside a bare boto3 client.

Each is imported in processes of its own, from this environment; ``cold-start`` measures what is deployed.
"""

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from bench.cold_start import BARE, HANDLERS
from bench.processes import ROOT
from bench.results import MEASURED, write_result
from bench.site import machine

ROUNDS = 15
LEAST_MS = 1.0
OURS = ("adapters", "domain", "handlers")
_BY_MODULE = """
import importlib._bootstrap_external as external, json, sys, time
spent, nested = {}, []
def timed(execute):
    def exec_module(self, module):
        nested.append(0.0)
        begun = time.thread_time()
        try:
            return execute(self, module)
        finally:
            took = time.thread_time() - begun
            spent[module.__name__] = took - nested.pop()
            if nested:
                nested[-1] += took
    return exec_module
for loader in (external.SourceFileLoader, external.ExtensionFileLoader):
    loader.exec_module = timed(loader.exec_module)
exec(sys.argv[1])
print(json.dumps(spent))
"""
"""Like ``-X importtime``, but in CPU time, which other work on the machine disturbs least."""
_MEASURED = """
import sys, time
begun = time.process_time()
exec(sys.argv[1])
spent = time.process_time() - begun
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(spent, peak)
"""


def main() -> None:
    """Measure, print, and write build/bench/imports.json."""
    programs = {"a bare boto3 S3 client": BARE} | {name: f"import handlers.{name}" for name in HANDLERS}
    rows = {}
    for name, program in programs.items():
        rows[name] = row = {**measured(program), "by_package_ms": by_package(program)}
        print(
            f"{name:<24}{row['cpu_ms']:>6} ms {row['peak_mib']:>5} MiB  {json.dumps(row['by_package_ms'])}", flush=True
        )
    write_result("imports", {"rounds": ROUNDS, "machine": machine(), "rows": rows})


def measured(program: str) -> dict[str, Any]:
    """Medians of the CPU in milliseconds, which other work disturbs least, and of the peak memory in MiB."""
    command = [sys.executable, "-c", _MEASURED, program]
    _answer(command)  # compiles
    runs = [_answer(command).stdout.split() for _ in range(ROUNDS)]
    return {
        "cpu_ms": round(1000 * statistics.median(float(seconds) for seconds, _ in runs)),
        "peak_mib": round(statistics.median(int(kib) for _, kib in runs) / 1024, 1),
    }


def by_package(program: str) -> dict[str, float]:
    """Milliseconds of CPU of each package's own modules, the largest first; medians, small ones together."""
    runs = [_by_package(_answer([sys.executable, "-c", _BY_MODULE, program]).stdout) for _ in range(ROUNDS)]
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    large = {name: ms for name, ms in sorted(medians.items(), key=lambda one: -one[1]) if ms >= LEAST_MS}
    rest = sum(medians.values()) - sum(large.values())
    return {**{name: round(ms, 1) for name, ms in large.items()}, "the rest": round(rest, 1)}


def _by_package(report: str) -> dict[str, float]:
    milliseconds: dict[str, float] = {}
    for module, seconds in json.loads(report).items():
        package = _package(module)
        milliseconds[package] = milliseconds.get(package, 0.0) + 1000 * seconds
    return milliseconds


def _package(module: str) -> str:
    top = module.partition(".")[0]
    if top in OURS:
        return "keyshift"
    return "the standard library" if top in sys.stdlib_module_names else top


def _answer(command: list[str]) -> subprocess.CompletedProcess[str]:
    # Compiled modules as in a layer, wherever this environment keeps or does not keep its own.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(MEASURED / "compiled")
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
