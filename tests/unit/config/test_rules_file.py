"""Mistakes in a rules file are said with their place; good files become rules."""

from pathlib import Path

import pytest

from domain.errors import RulesError
from domain.rules.compiled import Allowed
from domain.rules.restoring import RestoreRule, RestoreTier
from handlers.bootstrap.process import owners_of
from handlers.config.rules_file import load_rules, read_rules

GOOD = """version: 1
migration: m
source: {bucket: src-bucket, expected_owner: "111122223333", storage_class: STANDARD}
target: {bucket: dst-bucket, prefix: "p/", region: eu-west-1}
kinds:
  two: "[0-9]{2}"
  word: [up, down]
rules:
  - name: a
    from: ["{x:two}/{y:word}", "{x:two}-{y:word}"]
    to: "{y}/{x}"
allow:
  - {rule: a, finding: lossy, why: "because", other_rule: keep}
references: [{table: items, key: id, attributes: [uri]}]
"""


def mistakes(text: str) -> list[str]:
    """The lines of the error."""
    with pytest.raises(RulesError) as caught:
        read_rules(text, name="f.yaml")
    return str(caught.value).splitlines()


def test_a_good_file_becomes_rules() -> None:
    """Everything that the file says is in the compiled rules."""
    compiled = read_rules(GOOD)
    assert compiled.promised_storage_class == "STANDARD"
    assert compiled.source.expected_owner == "111122223333"
    assert compiled.target_prefix == "p/"
    assert compiled.allow == (Allowed("a", "lossy", "because", "keep"),)
    assert [one.table for one in compiled.references.tables] == ["items"]
    assert [branch.source.text for branch in compiled.branches] == ["{x:two}/{y:word}", "{x:two}-{y:word}"]
    assert len(compiled.digest) == 64


@pytest.mark.parametrize(
    ("promises", "plain"),
    [
        ("", False),
        (", encryption: AES256", False),
        (", object_lock: none", False),
        (", encryption: AES256, object_lock: none", True),
    ],
)
def test_a_source_is_promised_plain_only_by_both_promises(promises: str, *, plain: bool) -> None:
    """A copy inherits neither the KMS key nor the lock, so either may need a look."""
    text = (
        f"version: 1\nmigration: m\nsource: {{bucket: source-bucket{promises}}}\ntarget: {{bucket: target-bucket}}\n"
        'rules: [{name: a, from: "{rest...}", to: "new/{rest...}"}]\n'
    )
    assert read_rules(text).promised_plain is plain


def test_annotations_are_looked_for_unless_the_file_promises_none() -> None:
    """A file of an earlier version keeps its digest, and a promise changes it: workers copy otherwise then."""
    promised = read_rules(GOOD.replace("storage_class: STANDARD", "storage_class: STANDARD, annotations: none"))
    assert (read_rules(GOOD).promised_unannotated, promised.promised_unannotated) == (False, True)
    assert promised.digest != read_rules(GOOD).digest
    assert "'annotations'" in mistakes(GOOD.replace("storage_class: STANDARD", "annotations: some"))[0]


def test_the_digest_of_a_file_without_annotations_is_that_of_earlier_versions() -> None:
    """A migration that runs under it goes on after an upgrade."""
    text = "version: 1\nmigration: m\nsource: {bucket: source-bucket}\ntarget: {bucket: target-bucket}\n"
    digest = read_rules(text + 'rules: [{name: a, from: "{rest...}", to: "new/{rest...}"}]\n').digest
    assert digest == "3856a32915f2e06dfbb1ea3c1f9ecf7cbb45905e34af9032c7b39f0e440bffab"


def test_who_pays_is_said_for_each_bucket() -> None:
    """It decides about no key, so rules that were proven before stay proven."""
    paying = read_rules(GOOD.replace("storage_class: STANDARD", "storage_class: STANDARD, requester_pays: true"))
    assert (paying.source.requester_pays, paying.target.requester_pays) == (True, False)
    assert owners_of(paying).requester_pays == {paying.source_bucket}
    assert owners_of(read_rules(GOOD)).requester_pays == frozenset()
    assert paying.digest == read_rules(GOOD).digest
    assert mistakes(GOOD.replace("storage_class: STANDARD", 'storage_class: STANDARD, requester_pays: "yes"'))


def test_copies_get_no_acl_unless_the_file_names_one() -> None:
    """Only the one that a bucket with disabled ACLs takes too; a file of an earlier version keeps its digest."""
    granting = read_rules(GOOD + "acl: bucket-owner-full-control\n")
    assert (read_rules(GOOD).grants_full_control, granting.grants_full_control) == (False, True)
    assert owners_of(granting).full_control == {granting.target_bucket}
    assert owners_of(read_rules(GOOD)).full_control == frozenset()
    assert granting.digest != read_rules(GOOD).digest
    assert read_rules(GOOD + "acl: none\n").digest == read_rules(GOOD).digest
    assert mistakes(GOOD + "acl: public-read\n")[0].startswith(
        "f.yaml:15:1: 'acl': input should be 'none' or 'bucket-owner"
    )


def test_late_changes_are_followed_only_if_the_file_says_so() -> None:
    """Each of them costs requests; the choice decides about no key."""
    following = read_rules(GOOD + "late_changes: follow\n")
    assert (read_rules(GOOD).follows_late_changes, following.follows_late_changes) == (False, True)
    assert following.digest == read_rules(GOOD).digest
    assert "'late_changes'" in mistakes(GOOD + "late_changes: all\n")[0]


def test_archived_sources_are_restored_only_if_the_file_says_how() -> None:
    """The choice costs money and decides about no key."""
    assert read_rules(GOOD).restore is None
    rules = read_rules(GOOD + "restore: {tier: standard, at_most: 5}\n")
    assert rules.restore == RestoreRule(RestoreTier.STANDARD, days=7, at_most=5)
    assert rules.digest == read_rules(GOOD).digest
    assert "'bulk', 'standard' or 'expedited'" in mistakes(GOOD + "restore: {tier: fast}\n")[0]
    assert "'days'" in mistakes(GOOD + "restore: {days: 0}\n")[0]


def test_a_key_of_kms_cannot_be_promised_away() -> None:
    """Only what needs nothing in the copy's request may be promised."""
    text = (
        "version: 1\nmigration: m\ntarget: {bucket: target-bucket}\n"
        "source: {bucket: source-bucket, encryption: aws:kms}\n"
        'rules: [{name: a, from: "{rest...}", to: "new/{rest...}"}]\n'
    )
    assert "source.encryption" in mistakes(text)[0] or "AES256" in mistakes(text)[0]


def test_the_digest_changes_with_what_moves_and_not_with_a_reason() -> None:
    """The digest names what decides about keys."""
    digest = read_rules(GOOD).digest
    assert read_rules(GOOD.replace('"because"', '"other words"')).digest == digest
    assert read_rules(GOOD.replace("{y}/{x}", "{x}/{y}")).digest != digest


def test_audit_events_are_packed_unless_the_file_says_otherwise() -> None:
    """The choice concerns no key, so rules that were proven before stay proven."""
    single = read_rules(GOOD + "audit: {events: single}\n")
    assert (read_rules(GOOD).single_events, single.single_events) == (False, True)
    assert not read_rules(GOOD + "audit: {events: packs}\n").single_events
    assert single.digest == read_rules(GOOD).digest
    assert "'events'" in mistakes(GOOD + "audit: {events: double}\n")[0]


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("version: 1", "version: 2", "f.yaml:1:1: 'version': input should be 1"),
        ("migration: m", "migraton: m", "f.yaml:2:1: 'migraton' is not known here; correct or remove it"),
        ("migration: m\n", "", "f.yaml:1:1: 'migration' is missing"),
        ("src-bucket", "Src_Bucket", "f.yaml:3:10: 'Src_Bucket' is not a valid bucket name"),
        ('"111122223333"', "111122223333", "f.yaml:3:30: 'expected_owner' must be a text; write it in quotes"),
        ("{y}/{x}", "{z}/{x}", "f.yaml:11:5: 'to' uses 'z', which 'from' does not capture (it captures x, y)"),
        ("{x:two}-{y:word}", "{x:too}-{y:word}", "f.yaml:10:32: 'too' is not a kind of this file (it has two, word)"),
        ("{x:two}-{y:word}", "{y:word}", "f.yaml:11:5: 'to' uses 'x'"),
        ("[up, down]", "[up, on]", "f.yaml:7:14: '1' must be a text; write it in quotes"),
        ("[up, down]", "[up, '']", "f.yaml:7:3: a list of words must not contain an empty one"),
        ('"[0-9]{2}"', '"[0-9"', "f.yaml:6:3: the expression '[0-9' is not possible at character 1: '[' without"),
        ("finding: lossy", "finding: nope", "f.yaml:13:15: 'finding': input should be 'overlap'"),
        ("{rule: a,", "{rule: b,", "f.yaml:13:6: there is no rule named 'b'"),
        ('to: "{y}/{x}"', f'to: "{"k" * 1030}{{x}}"', "f.yaml:11:5: its literal text alone has 1032 bytes"),
        ('prefix: "p/"', 'prefix: "../"', "f.yaml:4:30: the prefix cannot begin an S3 key"),
        ('to: "{y}/{x}"', 'to: "a/../../../{x}"', "f.yaml:11:5: every key that it makes leads above"),
        ("allow:", "rules: []\nallow:", "f.yaml:12:1: 'rules' is there twice; remove one of them"),
        ("references: [", "references: [[", "f.yaml:15:1: this is not valid YAML"),
        ("migration: m", "migration: !!python/object:os.system m", "f.yaml:2:12: this is not valid YAML"),
        ("migration: m", "migration: &a [*a]", "f.yaml:2:12: an alias contains itself"),
    ],
)  # fmt: skip
def test_each_mistake_is_said_with_line_and_column(old: str, new: str, mistake: str) -> None:
    """One sentence, at the place where the user has to look."""
    assert old in GOOD
    said = mistakes(GOOD.replace(old, new, 1))
    assert any(line.startswith(mistake) for line in said), said


def test_several_mistakes_are_said_at_once() -> None:
    """The user corrects a file in one go."""
    said = mistakes(
        GOOD.replace("{y}/{x}", "{z}").replace("{x:two}/{y:word}", "{x:nope}/{").replace("rule: a", "rule: q")
    )
    assert len(said) == 3


def test_two_rules_of_one_name_are_refused() -> None:
    """A name in a report must mean one rule."""
    text = GOOD.replace("allow:", "  - {name: a, from: 'x', to: 'y'}\nallow:")
    assert mistakes(text) == ["f.yaml:12:6: there are two rules named 'a'; rename one"]


@pytest.mark.parametrize(
    ("text", "words"), [("", "empty"), ("- a\n", "names and values"), ("just text", "names and values")]
)
def test_a_file_that_is_no_mapping_is_refused(text: str, words: str) -> None:
    """A list, a text or nothing at all gets one sentence."""
    (said,) = mistakes(text)
    assert said.startswith("f.yaml:1:1: ")
    assert words in said


def test_an_unreadable_file_gets_one_sentence(tmp_path: Path) -> None:
    """A missing file, a folder, and bytes that are not UTF-8."""
    (tmp_path / "latin").write_bytes(b"migration: caf\xe9")
    for name, words in (("none", "No such file"), (".", "Is a directory"), ("latin", "not UTF-8 at byte 15")):
        with pytest.raises(RulesError, match=words):
            load_rules(tmp_path / name)


@pytest.mark.parametrize("path", sorted(Path("migrations").rglob("*.yaml")), ids=str)
def test_every_rules_file_that_ships_can_be_read(path: Path) -> None:
    """What users copy must work."""
    assert load_rules(path).branches
