"""``keyshift rules check``: the verdict, its exit code, its two forms, and the exceptions."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from domain.proofs.proof import FindingKind, Proof, ProofVerdict, prove_rules
from handlers.cli.rules import rules
from handlers.config.rules_file import load_rules, read_rules

HEAD = "version: 1\nmigration: m\nsource: {bucket: one-bucket}\ntarget: {bucket: TARGET}\n"


def prove(body: str, target: str = "two-bucket") -> Proof:
    """The proof over rules after the usual head."""
    return prove_rules(read_rules(HEAD.replace("TARGET", target) + body))


def told(proof: Proof) -> set[tuple[str, str, str | None]]:
    """Kind and rules of each finding, without notes."""
    kinds = [finding for finding in proof.findings if finding.kind is not FindingKind.NOTE]
    return {(finding.kind.value, finding.rule, finding.other_rule) for finding in kinds}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("rules: [{name: a, from: 'x/{n}', to: 'y/{n}'}]\n", set()),
        ("rules: [{name: a, from: 'x/{n}', to: 'y/{n}'}, {name: b, from: 'z/{n}', to: 'w/{n}'}]\n", set()),
        (
            "rules: [{name: a, from: 'x/{n}', to: 'y/{n}'}, {name: b, from: 'z/{n}', to: 'y/{n}'}]\n",
            {("collision", "a", "b")},
        ),
        (
            "rules: [{name: a, from: '{m}/{n}', to: 'y/{m}/{n}'}, {name: b, from: 'z/{n}', to: 'w/{n}'}]\n",
            {("overlap", "a", "b"), ("unreachable", "b", "a")},
        ),
        (
            "rules: [{name: a, from: '{m}/{n}', to: '{n}'}]\n",
            {("collision", "a", "a"), ("lossy", "a", None)},
        ),
        ("rules: [{name: a, from: '{m:[01]}/{n}', to: '{n}{m}'}]\n", set()),
        (
            "rules: [{name: a, from: ['x/{n}', 'z/{n}'], to: 'y/{n}'}]\n",
            {("collision", "a", "a"), ("lossy", "a", None)},
        ),
        ("rules: [{name: a, from: '{n}/{m}/{n}', to: '{m}/{n}'}]\n", set()),
        ("rules: [{name: a, from: '{n}.{m}', to: 'x/{n}/{m}'}]\n", {("ambiguous", "a", None)}),
        ("rules: [{name: a, from: 'x{n*}', to: 'y{n}'}]\n", {("invalid-target", "a", None)}),
    ],
)
def test_each_kind_of_finding_is_told_and_nothing_else(body: str, expected: set[tuple[str, str, str | None]]) -> None:
    """Good rules are proven; each planted fault is named with its rules."""
    assert told(prove(body)) == expected


def test_a_loop_needs_one_bucket_and_is_cut_by_keep() -> None:
    """Targets that are sources again loop in the same bucket only, and not where ``keep`` names them."""
    body = "rules: [{name: a, from: '{p...}/{n}', to: 'new/{p}/{n}'}]\n"
    assert ("loop", "a", "a") in told(prove(body, "one-bucket"))
    assert told(prove(body)) == set()
    kept = told(prove(body + "keep: ['new/{n...}']\n", "one-bucket"))
    assert kept == {("overlap", "a", "keep"), ("collision", "a", "keep")}


def test_equal_rules_in_place_move_nothing_and_do_not_loop() -> None:
    """A rule whose target is its source is no loop."""
    assert told(prove("rules: [{name: a, from: 'x/{n}', to: 'x/{n}'}]\n", "one-bucket")) == set()


def test_a_counterexample_holds_when_it_is_mapped_again() -> None:
    """The two keys of a collision differ and really share their target."""
    compiled = read_rules(HEAD.replace("TARGET", "two-bucket") + "rules: [{name: a, from: '{n}', to: 'x/{n|lower}'}]\n")
    collision = next(found for found in prove_rules(compiled).findings if found.kind is FindingKind.COLLISION)
    one, other = collision.keys
    assert one != other
    assert compiled.map_key(one).target == compiled.map_key(other).target


def test_a_longer_target_is_noted_with_the_longest_key_that_fits() -> None:
    """The noted key's target has exactly 1,024 bytes, and the note does not spoil the verdict."""
    proof = prove("rules: [{name: a, from: 'x/{n}', to: 'longer/{n}'}]\n")
    (note,) = proof.findings
    assert (note.kind, len(note.keys[0]), len(note.targets[0])) == (FindingKind.NOTE, 1019, 1024)
    assert proof.verdict is ProofVerdict.PROVEN


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("[!a]+", "a" * 1_017),
        ("[!a-z]+", "a" * 1_017),
        ("[!0]+", "!" * 1_017),
        ("[0-9]+", "0" * 1_017),
        ("[ab]+", "a" * 1_017),
        ("[!]+", "!" * 1_017),
        ("[~]+", "~" * 1_017),
        ("(ab)+", "ab" * 508),
        ("ab*", "a" + "b" * 1_016),
        (r"b\x7f+|ca+", "c" + "a" * 1_016),
        (r"b\x7f+|c", "b" + "\x7f" * 1_016),
        ("[é]+", "é" * 508),
        ("a{1,5}|é+", "é" * 508),
        ("[é]*[日]+", "é" * 507 + "日"),
        ("[日]*[é]", "日" * 338 + "é"),
        ("[𐀀-𐀂]+", "𐀀" * 254),
        ("([à-日]{2})+", "ࠀ" + "à" * 507),
        ("[ab]", ""),
        ("[ab]{2,9}", ""),
    ],
)
def test_the_longest_key_that_fits_is_noted_in_texts_that_its_kind_takes(kind: str, expected: str) -> None:
    """To the last byte that the kind can fill, printable, letters where it may be; nothing of a kind of short texts."""
    notes = prove(f"rules: [{{name: r, from: 'x/{{n:{kind}}}', to: 'longer/{{n}}'}}]\n").findings
    assert [(finding.keys, finding.targets) for finding in notes] == (
        [(("x/" + expected,), ("longer/" + expected,))] if expected else []
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["{name: r, from: 'longer/{n}', to: 'x/{n}'}"], {}),
        (["{name: r, from: 'aaaaaaaaaaaaaaaa/{n}', to: '{n}{n}'}"], {"r": ("a" * 16 + "/" + "a" * 512, 1_024, "n")}),
        (["{name: r, from: '{a:b+}/{z:c+}', to: '{a}{a}/{z}'}"], {"r": ("b" * 511 + "/c", 1_024, "a")}),
        (["{name: r, from: '{z:bc+}/{a:d+}', to: 'long/{z}/{a}'}"], {"r": ("bc/" + "d" * 1_016, 1_024, "a")}),
        (["{name: r, from: 'x/{m}/{n:[ab]}', to: 'longer/target/{n}'}"], {}),
        (["{name: a, from: 'x/{n...}', to: 'y/{n}'}", "{name: b, from: 'x/{n}', to: 'longer/{n}'}"], {}),
        (
            ["{name: a, from: 'x/{n:b+}', to: 'xx/{n}'}", "{name: b, from: 'y/{n:c+}', to: 'yyyy/{n}'}"],
            {"a": ("x/" + "b" * 1_021, 1_024, "n"), "b": ("y/" + "c" * 1_019, 1_024, "n")},
        ),
        (["{name: a, from: ['xyz/{n:b+}', 'z/{n:b+}'], to: 'longer/{n}'}"], {"a": ("z/" + "b" * 1_017, 1_024, "n")}),
        (["{name: a, from: ['x/{n:b+}', 'z/{n:b+}'], to: 'longer/{n}'}"], {"a": ("x/" + "b" * 1_017, 1_024, "n")}),
    ],
)
def test_a_rule_whose_targets_grow_has_one_note(rules: list[str], expected: dict[str, tuple[str, int, str]]) -> None:
    """Of its own keys, in the form that leaves the least room; none where nothing grows."""
    findings = prove(f"rules: [{', '.join(rules)}]\n").findings
    notes = {finding.rule: finding for finding in findings if finding.kind is FindingKind.NOTE}
    sizes = {rule: (note.keys[0], len(note.targets[0])) for rule, note in notes.items()}
    assert sizes == {rule: (key, size) for rule, (key, size, _) in expected.items()}
    why = "targets grow: with a longer '{}' than in this key, the target is too long for S3"
    assert [note.why for note in notes.values()] == [why.format(name) for _, _, name in expected.values()]


def test_the_portal_s_rules_are_decided_to_the_last_finding() -> None:
    """Nothing is undecided or unexplained, nothing loops, every rule can win, every target is clean."""
    proof = prove_rules(load_rules("migrations/edge-cv-portal.yaml"))
    assert proof.verdict is ProofVerdict.ALLOWED
    assert proof.unneeded == ()
    kinds = {finding.kind.value for finding in proof.findings}
    assert kinds == {"note", "overlap", "collision", "lossy", "ambiguous"}


@pytest.mark.parametrize(("name", "verdict"), [("flatten-dates", "proven"), ("new-bucket", "allowed")])
def test_the_examples_are_proven(name: str, verdict: str) -> None:
    """What users copy passes its own gate."""
    assert prove_rules(load_rules(f"migrations/examples/{name}.yaml")).verdict == verdict


def run(tmp_path: Path, body: str, *options: str) -> Result:
    """Run the command."""
    path = tmp_path / "rules.yaml"
    path.write_text(HEAD.replace("TARGET", "two-bucket") + body)
    return CliRunner().invoke(rules, ["check", str(path), *options])


LOSSY = "rules: [{name: a, from: '{m}/{n}', to: '{n}'}]\n"
ALLOW = "allow: [{rule: a, finding: lossy, why: known}, {rule: a, finding: collision, why: known}]\n"


def test_json_lines_have_the_documented_names_and_the_verdict_last(tmp_path: Path) -> None:
    """One line for each finding, as docs/rules.md writes it."""
    result = run(tmp_path, LOSSY, "--json")
    lines: list[dict[str, Any]] = [json.loads(line) for line in result.stdout.splitlines()]
    assert set(lines[0]) == {"finding", "rule", "other_rule", "keys", "targets", "allowed", "why"}
    assert lines[-1]["verdict"] == "refuted"
    assert (lines[-1]["findings"], lines[-1]["allowed"], lines[-1]["undecided"]) == (2, 0, 0)
    assert result.exit_code == 1


def test_allowed_findings_carry_the_file_s_reason_and_exit_with_zero(tmp_path: Path) -> None:
    """Each exception is accepted by name."""
    result = run(tmp_path, LOSSY + ALLOW)
    assert "allowed lossy: 'a': known" in result.stdout
    assert result.stdout.splitlines()[0] == "m: allowed (1 rule, 2 findings, 2 of them allowed, 0 undecided)"
    assert result.exit_code == 0


def test_the_verdict_comes_first_then_what_shuts_the_start_and_notes_last(tmp_path: Path) -> None:
    """A person reads from the top, and stops early."""
    grows = "{name: b, from: 'b/{x}/{n}/c', to: 'longer-than-it/{x}/{n}'}"
    body = LOSSY.replace("}]", f"}}, {grows}]") + "allow: [{rule: a, finding: lossy, why: known}]\n"
    lines = run(tmp_path, body).stdout.splitlines()
    words = [line.split(" ")[0] for line in lines if not line.startswith(" ")]
    assert words == ["m:", "collision:", "allowed", "note:"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("in/" + "a" * 1_000 + "/x.json", '"in/aaa…aaa/x.json" (1,010 bytes)'),
        ("in/" + "ab" * 200 + "/x.json", f'"in/{"ab" * 28}a…{"ba" * 11}b/x.json" (410 bytes)'),
        ("in/" + "a" * 40 + "/x.json", f'"in/{"a" * 40}/x.json"'),
    ],
)
def test_a_long_key_is_shown_by_its_begin_and_its_end(tmp_path: Path, key: str, shown: str) -> None:
    """Both show the rule; a screen full of one letter shows nothing."""
    result = run(tmp_path, f"rules: [{{name: a, from: ['{key}', 'other'], to: 'y'}}]\n")
    assert f"    {shown} -> " in result.stdout


def test_an_exception_without_its_finding_is_an_error(tmp_path: Path) -> None:
    """A stale exception could hide the next mistake."""
    result = run(tmp_path, LOSSY + ALLOW.replace("lossy", "loop"))
    assert result.exit_code == 2
    assert "it allows 'loop' for 'a', but there is no such finding; remove the entry" in result.stderr


def test_an_unusable_file_exits_with_two(tmp_path: Path) -> None:
    """No verdict on what cannot be read."""
    result = run(tmp_path, "rules: []\n")
    assert (result.exit_code, result.stdout) == (2, "")
