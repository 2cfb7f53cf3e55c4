"""The command line's root: quick help, one sentence for an error, the documented exit codes."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from domain.errors import InputError, MissingResourceError, RulesError
from handlers.cli.app import COMMANDS, keyshift, run


@pytest.fixture
def failing() -> Iterator[type[BaseException]]:
    """A command ``fail`` that raises what its text names."""
    raised: dict[str, BaseException] = {
        "input": InputError("the input is wrong; correct it"),
        "rules": RulesError("the rules are wrong; correct them"),
        "missing": MissingResourceError("s3://b does not exist; create it"),
        "interrupt": KeyboardInterrupt(),
        "pipe": BrokenPipeError(),
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
    ],
)
def test_an_error_is_one_sentence(what: str, code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error has the sentence, standard output nothing, and the exit code says which sort it is."""
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


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its help has an example on a line of its own, and machines can read what people can."""
    command = keyshift.get_command(click.Context(keyshift), name)
    assert command is not None
    for one in command.commands.values() if isinstance(command, click.Group) else (command,):
        text = one.get_help(click.Context(one, info_name=f"keyshift {name}", **keyshift.context_settings))
        assert "\n  Example:\n" in text, one.name
        assert "\\b" not in text
    assert run([name, "--help"]) == 0
    assert "Usage: keyshift" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["backfill", "demo", "doctor", "pause", "resume", "status", "throttle", "uploads"])
def test_what_prints_figures_prints_json(name: str) -> None:
    """The commands with a result have --json."""
    command = keyshift.get_command(click.Context(keyshift), name)
    assert command is not None
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
    assert "Commands:" in answer.stdout
