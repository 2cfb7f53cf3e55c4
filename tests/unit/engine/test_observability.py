"""What is said is one JSON line each, whatever a key holds; metrics have two bounded dimensions."""

import io
import json
from uuid import uuid4

import pytest

from domain.errors import InputError
from domain.keys import Location
from handlers.engine.observability import Observer


def an_observer(stream: io.StringIO) -> Observer:
    """An observer of its own: powertools keeps one logger for each function name."""
    return Observer(migration="m", function=f"f-{uuid4().hex}", stream=stream)


def test_a_key_with_newlines_stays_in_its_field() -> None:
    """Nobody can forge a log line with an object key."""
    stream = io.StringIO()
    key = 'a\n{"level":"ERROR"}\r\u2028'
    an_observer(stream).warn("needs a person", source=Location("b", key), why="x")
    (line,) = stream.getvalue().rstrip("\n").split("\n")
    said = json.loads(line)
    assert ("b", key, "m", "x") == (said["bucket"], said["object_key"], said["migration"], said["why"])
    assert said["message"] == "needs a person"


@pytest.mark.parametrize(
    ("level", "written"),
    [("", ["i", "w"]), ("debug", ["d", "i", "w"]), ("INFO", ["i", "w"]), ("WARNING", ["w"]), ("CRITICAL", [])],
)
def test_the_operator_chooses_the_level(monkeypatch: pytest.MonkeyPatch, level: str, written: list[str]) -> None:
    """By the variable that Powertools documents; without it INFO."""
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", level)
    stream = io.StringIO()
    observer = an_observer(stream)
    for say, text in ((observer.debug, "d"), (observer.info, "i"), (observer.warn, "w")):
        say(text)
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == written


def test_a_level_that_is_not_valid_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that are; a command's own level does not depend on the variable."""
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "loud")
    with pytest.raises(
        InputError, match=r"POWERTOOLS_LOG_LEVEL='loud' is not a valid log level: use one of DEBUG, INFO"
    ):
        an_observer(io.StringIO())
    assert Observer(migration="m", function=f"f-{uuid4().hex}", level="WARNING", stream=io.StringIO())


def test_metrics_are_one_emf_line_in_lambda(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Migration and function are the only dimensions, so that no key becomes a billed metric."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "keyshift-live")
    observer = an_observer(io.StringIO())
    observer.count("Handled", 2)
    observer.count("Handled")
    observer.flush()
    emf = json.loads(capsys.readouterr().out)
    (described,) = emf["_aws"]["CloudWatchMetrics"]
    assert described["Dimensions"] == [["migration", "function"]]
    assert emf["Handled"] == [3.0]


def test_outside_lambda_only_totals_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """A worker's standard output is not read by CloudWatch."""
    observer = an_observer(io.StringIO())
    observer.count("Handled", 2)
    observer.flush()
    observer.count("Handled")
    assert capsys.readouterr().out == ""
    assert observer.totals() == {"Handled": 3}


class Invocation:
    """What Lambda hands to a handler."""

    aws_request_id = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"


def test_a_line_says_where_it_comes_from_and_of_which_invocation() -> None:
    """The location is the caller's, and the request id is the one of Lambda's own lines."""
    stream = io.StringIO()
    observer = an_observer(stream)
    observer.begin(Invocation())
    for say in (observer.info, observer.warn, observer.fail, observer.crash):
        say("said")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 4
    for line in lines:
        assert line["location"].startswith("test_a_line_says_where_it_comes_from_and_of_which_invocation:")
        assert line["function_request_id"] == Invocation.aws_request_id


def test_the_next_invocation_has_its_own_request_id() -> None:
    """A function's process serves one invocation after the other."""
    stream = io.StringIO()
    observer = an_observer(stream)
    observer.begin(Invocation())
    observer.begin(type("Next", (), {"aws_request_id": "next"})())
    observer.info("said")
    assert json.loads(stream.getvalue())["function_request_id"] == "next"
