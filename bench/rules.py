"""CPU seconds of ``keyshift rules check`` over five to fifty rules of the portal's own form."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.worlds.many_rules import portal_like

NUMBERS = (5, 10, 25, 50)
FORMS = {
    "into another bucket": {"target": "two-bucket"},
    "in one bucket, the new layout kept": {"keep": ("models/{rest...}",)},
    "in one bucket, nothing kept": {},
}


def main() -> None:
    """Print a table in Markdown: a line for each form, a column for each number of rules."""
    print(f"| Rules | {' | '.join(map(str, NUMBERS))} |", flush=True)
    print("|---" * (len(NUMBERS) + 1) + "|", flush=True)
    with tempfile.TemporaryDirectory(prefix="keyshift-bench-") as folder:
        path = Path(folder, "rules.yaml")
        for form, given in FORMS.items():
            taken = []
            for number in NUMBERS:
                path.write_text(portal_like(number, **given), encoding="utf-8")  # type: ignore[arg-type]
                taken.append(f"{_seconds(path):.1f} s")
            print(f"| {form} | {' | '.join(taken)} |", flush=True)


def _seconds(path: Path) -> float:
    """What the system counted for the whole command, its start included; 1 is the exit code of refuted rules."""
    command = [sys.executable, "-m", "handlers.cli", "rules", "check", str(path)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 1:
        raise RuntimeError(f"rules check ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime
