"""What each stack deploys is what its functions can import: nothing is missing, nothing is carried along."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.deployment.modules import MODULES, STACKS, functions_of, importable, listed, modules_document

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import importlib, sys
sys.path[:0] = sys.argv[1:3]
for name in sys.argv[3:]:
    importlib.import_module(name)
absent = {"adapters.standin", "adapters.duckdb", "handlers.cli", "handlers.demo", "click", "duckdb", "ministack"}
print(sorted(absent & set(sys.modules)))
"""


def test_the_list_is_current() -> None:
    """After a change of what a function imports: ``make modules``."""
    assert MODULES.read_text(encoding="utf-8") == modules_document()


@pytest.mark.parametrize("stack", STACKS)
def test_every_listed_module_loads_from_the_list_alone(stack: str, tmp_path: Path) -> None:
    """An isolated interpreter that sees the listed files, the libraries and nothing else of this tree."""
    paths = listed(stack)
    assert len(set(functions_of(stack))) == {"keyshift": 8}.get(stack, 7)
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    names = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths]
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(tmp_path), sysconfig.get_path("purelib"), *names]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)  # noqa: S603  # ourselves
    assert (answer.returncode, answer.stdout) == (0, "[]\n"), answer.stderr


def test_an_import_inside_a_function_and_a_program_count(tmp_path: Path) -> None:
    """What only a type checker imports does not, nor what nothing names."""
    files = {
        "handlers/__init__.py": "",
        "handlers/one.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from handlers import typed\n"
        "def f():\n    from handlers import late\n    return ['-m', 'handlers.program']\n",
        "handlers/late.py": "import domain.keys\n",
        "handlers/program.py": "",
        "handlers/typed.py": "",
        "handlers/other.py": "",
        "domain/__init__.py": "",
        "domain/keys.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert importable(["handlers.one"], root=tmp_path) == set(files) - {"handlers/typed.py", "handlers/other.py"}
