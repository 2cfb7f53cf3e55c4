"""The command line's root: quick help, one sentence for an error, the documented exit codes."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from domain.errors import InputError, MissingResourceError, RulesError, ThrottledError, UnavailableError
from handlers.cli.app import COMMANDS, PHASES, keyshift, run
from handlers.config.rules_model import RulesFile
from tests.worlds.presence import present


@pytest.fixture
def failing() -> Iterator[type[BaseException]]:
    """A command ``fail`` that raises what its text names."""
    raised: dict[str, BaseException] = {
        "input": InputError("the input is wrong; correct it"),
        "rules": RulesError("the rules are wrong; correct them"),
        "missing": MissingResourceError("s3://b does not exist; create it"),
        "interrupt": KeyboardInterrupt(),
        "pipe": BrokenPipeError(),
        "full": OSError(errno.ENOSPC, "No space left on device"),
        "file": PermissionError(errno.EACCES, "Permission denied", "/there"),
        "text": UnicodeEncodeError("ascii", "k\u00fc", 1, 2, "ordinal not in range"),
        "slow": ThrottledError("HeadObject on b: SlowDown; AWS wants fewer"),
        "again": UnavailableError("HeadObject on s3://b/k got no answer"),
        "abort": click.exceptions.Abort(),
    }

    @click.command("fail")
    @click.argument("what")
    def fail(what: str) -> None:
        raise raised[what]

    COMMANDS["fail"] = (__name__, "fail_command", "Fails.")
    globals()["fail_command"] = fail
    yield BaseException
    del COMMANDS["fail"], globals()["fail_command"]


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("input", 2, "keyshift: the input is wrong; correct it\n"),
        ("rules", 2, "keyshift: the rules are wrong; correct them\n"),
        ("missing", 1, "keyshift: s3://b does not exist; create it\n"),
        ("interrupt", 130, "keyshift: stopped\n"),
        ("abort", 130, "keyshift: stopped\n"),
        (
            "full",
            1,
            "keyshift: the output cannot be written or read: No space left on device; correct that first\n",
        ),
        ("file", 1, "keyshift: /there cannot be written or read: Permission denied; correct that first\n"),
        ("text", 1, "keyshift: the output's encoding ascii has no '\\xfc': set PYTHONUTF8=1\n"),
        (
            "slow",
            1,
            "keyshift: HeadObject on b: SlowDown; AWS wants fewer; wait a little, then run the command again\n",
        ),
        ("again", 1, "keyshift: HeadObject on s3://b/k got no answer; run the command again\n"),
    ],
)
def test_an_error_is_one_sentence(
    what: str, code: int, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard error has the sentence, standard output nothing, and the exit code says which sort it is."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back afterwards: ``run`` gives it up where it failed
    assert code == run(["fail", what])
    captured = capsys.readouterr()
    assert says == captured.err.lstrip("\n")
    assert captured.out == ""


@pytest.mark.usefixtures("failing")
def test_a_reader_that_has_gone_is_fine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is printed to a closed pipe."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back afterwards: ``run`` gives it up
    assert run(["fail", "pipe"]) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["no-such-command"], ["status", "--no-such-option"], ["rules", "map"]])
def test_wrong_use_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error names what is wrong, and is no failure of the migration."""
    assert run(arguments) == 2
    assert "Error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["cleanup", "--rate", "nan"],
        ["rollback", "--rate", "inf"],
        ["references", "scan", "--rate", "nan"],
        ["cutover", "--most-lag", "nan"],
        ["cutover", "--most-lag", "-1"],
        ["cutover", "--most-waiting", "-1"],
        ["backfill", "--backlog", "0"],
        ["uploads", "--older-than", "-1"],
        ["status", "--interval", "nan"],
        ["start", "--wait", "nan"],
    ],
)
def test_a_number_that_means_nothing_is_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Not a number, infinite, negative where it counts something: refused by its option's name."""
    assert run(arguments) == 2
    assert f"Invalid value for '{arguments[-2]}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "none.yaml", "--list", "--memory", "lots"], "--memory 'lots' is not an amount of memory"),
        (["plan", "none.yaml", "--list", "--memory", "-1GB"], "--memory '-1GB' is not an amount of memory"),
        (["plan", "none.yaml", "--list", "--memory", "0GB"], "--memory '0GB' is not an amount of memory"),
        (["init", "s3://bucket/prefix", "--force"], "give the name alone, without s3://"),
        (["init", "Bad_Name", "--force"], "'Bad_Name' is not a valid bucket name"),
    ],
)
def test_a_value_of_the_wrong_form_is_named(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked of AWS or read."""
    assert run(arguments) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["audit", "verify", "--expect", f"²:{'0' * 64}"], "must be SEQUENCE:SHA256"),
        (["cutover", "--postpone", "99999999999d"], "is after the year 9999"),
        (["cleanup", "--soak", "24"], "'24' is not a valid length of time"),
        (["cutover"], "give --events-queue (or KEYSHIFT_EVENTS_QUEUE_URL), --backfill-queue"),
        (["worker"], "give --events-queue"),
        (["start"], "give --events-queue"),
        (["backfill", "--list"], "give --backfill-queue"),
        (["backfill", "--dry-run", "--inventory", "s3://bucket"], "s3://bucket names no object"),
        (["report", "--prices", "PRICES"], "the prices in"),
    ],
)
def test_what_a_migration_cannot_use_is_named(  # each by its own sentence
    arguments: list[str],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also a cut-over that sees no queue: gates that nobody looked at must not count as open."""
    rules = tmp_path / "rules.yaml"
    places = "source: {bucket: some-bucket}\ntarget: {bucket: some-bucket}\n"
    rules.write_text(f"version: 1\nmigration: m\n{places}rules:\n  - {{name: a, from: 'o/{{x}}', to: 'n/{{x}}'}}\n")
    (tmp_path / "prices.yaml").write_bytes(b"as_of: \xff")
    monkeypatch.setenv("KEYSHIFT_RULES_FILE", str(rules))
    monkeypatch.setenv("KEYSHIFT_TABLE", "table")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert run([str(tmp_path / "prices.yaml") if one == "PRICES" else one for one in arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its help has an example on a line of its own, and machines can read what people can."""
    command = present(keyshift.get_command(click.Context(keyshift), name))
    for one in command.commands.values() if isinstance(command, click.Group) else (command,):
        text = one.get_help(click.Context(one, info_name=f"keyshift {name}", **keyshift.context_settings))
        assert "\n  Example:\n" in text, one.name
        assert "\\b" not in text
    assert run([name, "--help"]) == 0
    assert "Usage: keyshift" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["backfill", "demo", "doctor", "pause", "resume", "status", "throttle", "uploads"])
def test_what_prints_figures_prints_json(name: str) -> None:
    """The commands with a result have --json."""
    command = present(keyshift.get_command(click.Context(keyshift), name))
    assert "as_json" in [parameter.name for parameter in command.params]


def test_help_loads_neither_the_sdk_nor_the_commands() -> None:
    """``keyshift --help`` answers at once."""
    program = (
        "import sys; from handlers.cli.app import run; code = run(['--help']); "
        "heavy = {'boto3', 'pydantic', 'rich', 'aws_lambda_powertools', 'handlers.bootstrap'} & set(sys.modules); "
        "sys.exit(code or (str(heavy) if heavy else 0))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert answer.returncode == 0, answer.stderr
    assert "Prepare:\n  demo " in answer.stdout


@pytest.mark.parametrize("name", ["audit", "conflicts", "dlq", "references", "rules"])
def test_a_groups_help_cuts_no_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has a line that fits."""
    assert run([name, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_the_help_has_every_command_once_under_its_phase() -> None:
    """A new command must be given its place."""
    assert sorted(name for names in PHASES.values() for name in names) == sorted(COMMANDS)


def test_the_summary_of_pins_names_every_service_that_it_reads() -> None:
    """A user of Glue would otherwise not find the command."""
    (kind,) = get_args(RulesFile.model_fields["pins"].annotation)
    services = get_args(kind)
    assert "glue" in services
    assert [one for one in services if one not in COMMANDS["pins"][2].lower()] == []
