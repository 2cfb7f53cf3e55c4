"""Where measurements are kept: build/bench while one works, bench/results for those that the documents show."""

import json
from pathlib import Path
from typing import Any

from bench.processes import ROOT

MEASURED = ROOT / "build" / "bench"
KEPT = ROOT / "bench" / "kept"


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write one benchmark's result."""
    MEASURED.mkdir(parents=True, exist_ok=True)
    path = MEASURED / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_result(name: str) -> dict[str, Any]:
    """A kept result."""
    found: dict[str, Any] = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    return found
