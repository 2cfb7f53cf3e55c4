"""The environment becomes typed settings, and every mistake in it names its variable."""

import pytest

from domain.errors import InputError
from handlers.config.settings import environment_of, read_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets is set."""
    monkeypatch.setenv("KEYSHIFT_RULES_FILE", "rules.yaml")
    monkeypatch.setenv("KEYSHIFT_TABLE", "manifest")


def test_defaults_need_only_table_and_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rules file and a table are enough to begin."""
    settings = read_settings()
    assert (settings.table, str(settings.rules_file)) == ("manifest", "rules.yaml")
    assert settings.own_principals == ()


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deploys reads which variable to set."""
    monkeypatch.delenv("KEYSHIFT_TABLE")
    with pytest.raises(InputError, match="KEYSHIFT_TABLE: not set: set it, or give --table"):
        read_settings()


def test_every_mistake_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong values are two lines, not two rounds."""
    monkeypatch.setenv("KEYSHIFT_CONCURRENCY", "many")
    monkeypatch.setenv("KEYSHIFT_PART_SIZE", "1")
    with pytest.raises(InputError) as refused:
        read_settings()
    assert "KEYSHIFT_CONCURRENCY" in str(refused.value)
    assert "KEYSHIFT_PART_SIZE" in str(refused.value)


@pytest.mark.parametrize("text", ["AWS:one,AWS:two", " AWS:one , AWS:two", '["AWS:one", "AWS:two"]'])
def test_a_list_is_written_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Both mean the same."""
    monkeypatch.setenv("KEYSHIFT_OWN_PRINCIPALS", text)
    assert read_settings().own_principals == ("AWS:one", "AWS:two")


def test_a_list_that_is_neither_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback for something an operator can cause."""
    monkeypatch.setenv("KEYSHIFT_OWN_PRINCIPALS", '["one')
    with pytest.raises(InputError, match="KEYSHIFT_OWN_PRINCIPALS"):
        read_settings()


def test_what_is_given_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option on the command line overrules a variable."""
    assert read_settings(table="other").table == "other"


def test_another_process_reads_the_same_settings() -> None:
    """What a worker process is started with are this one's settings."""
    settings = read_settings(concurrency=3, encrypted_targets=True, own_principals=("a", "b"), multipart_above=7)
    assert read_settings(environment_of(settings)) == settings


@pytest.mark.parametrize(
    ("principal", "why"),
    [
        ("123456789012", "is an account"),
        ("AWS:123456789012", "is an account"),
        ("arn:aws:iam::123456789012:role/keyshift", "is an ARN"),
        ("AWS", "is not the id of one principal"),
        ("lambda.amazonaws.com", "is not the id of one principal"),
    ],
)
def test_a_principal_that_others_share_is_refused(monkeypatch: pytest.MonkeyPatch, principal: str, why: str) -> None:
    """Its deletes would all be taken for keyshift's, and the copies would stay."""
    monkeypatch.setenv("KEYSHIFT_OWN_PRINCIPALS", f"AWS:AROAOURS,{principal}")
    with pytest.raises(InputError, match="KEYSHIFT_OWN_PRINCIPALS") as refused:
        read_settings()
    assert f"'{principal}' {why}" in str(refused.value)
    assert "AWS:AROAEXAMPLEID" in str(refused.value)
