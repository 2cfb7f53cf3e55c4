"""The stack's outputs are settings of the command line, and documents read them by one command."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from handlers.cli.init import STACK_SETTINGS, env_text
from handlers.config.settings import Settings, read_settings, variable_of

ROOT = Path(__file__).resolve().parents[3]
OUTPUTS = yaml.safe_load((ROOT / "serverless.yml").read_text(encoding="utf-8"))["resources"]["Outputs"]
DESCRIPTIONS = [one["Description"] for one in OUTPUTS.values()]
NAMED = {found[1] for one in DESCRIPTIONS if (found := re.match(r"(KEYSHIFT_[A-Z_]+)(?::|$)", one))}
AWS = """#!/bin/sh
test "$1 $2 $3 $4" = "cloudformation describe-stacks --stack-name keyshift-prod" || exit 1
cat answer.txt
"""


def snippet(page: str) -> str:
    """The command of a page that writes the settings, as it stands there."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (found,) = re.findall(r"^aws cloudformation describe-stacks .*?^set -a; .*?$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def test_each_output_that_is_a_setting_is_one() -> None:
    """And begins with its variable, which is how the command finds it."""
    assert {"KEYSHIFT_TABLE", "KEYSHIFT_RULES_FILE", "KEYSHIFT_FUNCTIONS"} <= NAMED
    assert {variable_of(name) for name in Settings.model_fields} >= NAMED
    assert [one for one in DESCRIPTIONS if "KEYSHIFT_" in one and not one.startswith("KEYSHIFT_")] == []


def test_init_lists_what_the_stack_makes_and_guesses_no_name(tmp_path: Path) -> None:
    """A guessed name would lead a command to a table that is not there."""
    assert {"KEYSHIFT_RULES_FILE", *STACK_SETTINGS} == NAMED
    lines = env_text(tmp_path / "rules.yaml", "eu-central-1", None).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        f"KEYSHIFT_RULES_FILE={tmp_path / 'rules.yaml'}",
        "KEYSHIFT_REGION=eu-central-1",
    ]
    assert [line for line in lines if re.match(r"#KEYSHIFT_\w+=$", line)] == [f"#{name}=" for name in STACK_SETTINGS]


@pytest.mark.parametrize("page", ["deploy.md", "runbook.md"])
def test_the_documented_command_makes_settings_of_the_outputs(page: str, tmp_path: Path) -> None:
    """Run as it stands, with an AWS command line that answers as a stack does."""
    values = {one: f"value {number}" for number, one in enumerate(DESCRIPTIONS)}
    answer = "".join(f"{description}\t{value}\n" for description, value in values.items())
    (tmp_path / "answer.txt").write_text(answer, encoding="utf-8")
    (tmp_path / "aws").write_text(AWS, encoding="utf-8")
    (tmp_path / "aws").chmod(0o755)
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", f"{snippet(page)}\nenv"],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    environment = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("KEYSHIFT_"))
    assert set(environment) == NAMED
    settings = read_settings(environment)
    assert settings.table == values["KEYSHIFT_TABLE"]
    assert len(settings.functions) == 1
