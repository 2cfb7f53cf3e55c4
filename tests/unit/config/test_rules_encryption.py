"""The rules file names the KMS keys of copies; each mistake has its line and column."""

import pytest

from domain.errors import RulesError
from domain.kms_keys import NO_KEYS
from handlers.config.rules_file import read_rules

OLD = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-4333-8444-555555555555"
OLD_ID = "11111111-2222-4333-8444-555555555555"
NEW = "arn:aws:kms:eu-west-1:222222222222:key/mrk-99999999222243338444555555555555"
ALIAS, SHAPE = "arn:aws:kms:eu-west-1:111111111111:alias/old", "arn:aws:kms:REGION:ACCOUNT:key/ID"
FILE = """version: 1
migration: m
source: {bucket: src-bucket}
target: {bucket: dst-bucket, region: eu-west-1}
rules: [{name: a, from: "{rest...}", to: "new/{rest...}"}]
"""


def mistakes(text: str) -> list[str]:
    """The lines of the error."""
    with pytest.raises(RulesError) as caught:
        read_rules(text, name="f.yaml")
    return str(caught.value).splitlines()


def mapping(*pairs: str) -> str:
    """The file with these lines below the map, which begin at line 8."""
    return f"{FILE}encryption:\n  map:\n" + "".join(f"    {pair}\n" for pair in pairs)


@pytest.mark.parametrize("old", [OLD, OLD_ID, "mrk-" + "a" * 32])
def test_an_old_key_is_an_arn_or_an_id_and_a_new_one_an_arn(old: str) -> None:
    """Both as AWS writes them."""
    rules = read_rules(mapping(f"{old}: {NEW}"))
    assert rules.kms_keys.pairs == {old: NEW}
    assert read_rules(FILE).kms_keys == NO_KEYS


def test_several_old_keys_may_have_one_new_key() -> None:
    """The target's account often has a single one."""
    assert len(read_rules(mapping(f"{OLD}: {NEW}", f"{OLD[:-1]}6: {NEW}")).kms_keys.pairs) == 2


def test_the_map_changes_the_digest_and_its_absence_does_not() -> None:
    """Workers copy otherwise under it, so ``start`` proves the rules again."""
    assert read_rules(mapping(f"{OLD}: {NEW}")).digest != read_rules(FILE).digest


@pytest.mark.parametrize(
    ("pairs", "mistake"),
    [
        (
            [f"{OLD[:-3]}/x: {NEW}"],
            "f.yaml:8:5: '" + OLD[:-3] + "/x' is not the ARN or the id of a KMS key: write arn:",
        ),
        ([f"{OLD}: {OLD_ID}"], f"f.yaml:8:5: '{OLD_ID}' is not the ARN of a KMS key: write arn:aws:kms:REGION"),
        (
            [f"{ALIAS}: {NEW}"],
            f"f.yaml:8:5: '{ALIAS}' is not the ARN or the id of a KMS key: write {SHAPE} (S3 returns the key and not",
        ),
        ([f"{OLD}: alias/new"], "f.yaml:8:5: 'alias/new' is not the ARN of a KMS key"),
        ([f"{OLD}: {NEW}", f"{OLD_ID}: {NEW}"], f"f.yaml:9:5: it is the same key as '{OLD}' above: remove one of them"),
        ([f"{OLD}: {NEW}", f"{OLD}: {NEW}"], f"f.yaml:9:5: '{OLD}' is there twice; remove one of them"),
        ([f"{OLD}: {OLD}"], "f.yaml:8:5: it maps the key to itself: remove the line"),
        (
            [f"{OLD}: {NEW.replace('eu-west-1', 'us-east-1')}"],
            "f.yaml:8:5: '"
            + NEW.replace("eu-west-1", "us-east-1")
            + "' is a key of us-east-1, but S3 needs one of the "
            "target bucket's region, eu-west-1",
        ),
        ([f"{OLD}: 7"], "f.yaml:8:5: '" + OLD + "' must be a text"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(pairs: list[str], mistake: str) -> None:
    """By name, with what to write."""
    (found,) = mistakes(mapping(*pairs))
    assert found.startswith(mistake)


def test_a_promise_that_there_are_no_keys_contradicts_the_map() -> None:
    """Workers would not look for the key of a source."""
    promised = mapping(f"{OLD}: {NEW}").replace("{bucket: src-bucket}", "{bucket: src-bucket, encryption: AES256}")
    assert mistakes(promised) == [
        "f.yaml:7:3: 'source.encryption: AES256' promises that no source has a KMS key: remove the promise or the map"
    ]


def test_a_map_has_a_pair() -> None:
    """An empty one says nothing."""
    assert "'map'" in mistakes(FILE + "encryption: {map: {}}\n")[0]
    assert "'map' is missing" in mistakes(FILE + "encryption: {}\n")[0]
