"""``rules check`` against brute force: random rules, every short key, and the command's own JSON lines."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from domain.errors import RulesError
from handlers.cli.rules import rules as rules_group
from handlers.config.rules_file import read_rules
from tests.property.oracle import LITERALS, Oracle, check, every_key, is_told

FORMS = ("{%s}", "{%s...}", "{%s*}", "{%s:a*}", "{%s:[ab]}", "{%s:(a|ab)/?}", "{%s:two}")


@st.composite
def sources(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A template of up to four pieces, and its names."""
    text, names = "", list[str]()
    for _ in range(draw(st.integers(1, 4))):
        choice = draw(st.integers(0, 6))
        if choice < 3:
            text += draw(st.sampled_from(LITERALS))
        elif choice == 6 and names:
            text += "{" + draw(st.sampled_from(names)) + "}"
        else:
            names.append(f"n{len(names)}")
            text += draw(st.sampled_from(FORMS)) % names[-1]
    return text, names


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    """One to three rules, now and then a keep, prefixes, two buckets."""
    written: list[dict[str, object]] = []
    for at in range(draw(st.integers(1, 3))):
        source, names = draw(sources())
        uses = draw(st.permutations(names)) if draw(st.booleans()) else names
        if uses and draw(st.integers(0, 3)) == 0:
            uses = uses[:-1]
        suffix = draw(st.sampled_from(("", "", "", "", "|lower")))
        parts = [draw(st.sampled_from(("", "", *LITERALS))) + "{" + name + suffix + "}" for name in uses]
        target = "".join(parts) + draw(st.sampled_from(("", "", "a", "/b")))
        written.append({"name": f"r{at}", "from": source, "to": target or "b"})
    keep = [draw(sources())[0]] if draw(st.integers(0, 3)) == 0 else []
    bucket = draw(st.sampled_from(("bucket-1", "bucket-1", "bucket-2")))
    return json.dumps(
        {
            "version": 1,
            "migration": "m",
            "source": {"bucket": "bucket-1", "prefix": draw(st.sampled_from(("", "", "", "a")))},
            "target": {"bucket": bucket, "prefix": draw(st.sampled_from(("", "", "", "a", "b/")))},
            "kinds": {"two": ["a", "b/b"]},
            "rules": written,
            "keep": keep,
        }
    )


STAYING = json.dumps(
    {
        "version": 1,
        "migration": "m",
        "source": {"bucket": "bucket-1"},
        "target": {"bucket": "bucket-1"},
        "rules": [{"name": "r0", "from": "/b{n0}", "to": "/b{n0}"}],
    }
)
"""Unclean keys that stay where they are: nothing is written, so nothing is wrong with their targets."""


@example(text=STAYING, size=("ab/", 6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=rule_files(), size=st.sampled_from((("ab/", 6), ("aA/b", 5), ("a./-", 5))))
def test_nothing_that_a_key_can_show_is_called_proven(text: str, size: tuple[str, int], tmp_path: Path) -> None:
    """Whatever brute force finds the check finds too (or says that it is undecided), and no finding is invented."""
    try:
        compiled = read_rules(text)
    except RulesError:
        assume(False)  # hypothesis has no other form
    findings, verdict, code = check(text, tmp_path / "rules.yaml")
    oracle = Oracle(compiled, every_key(*size))
    for fact in oracle.facts():
        assert is_told(fact, findings), (fact, findings)
    for finding in findings:
        assert oracle.confirm(finding), finding
        if finding["finding"] == "unreachable" and not finding["other_rule"]:
            assert finding["rule"] not in set(oracle.winners.values())
    refuting = [one for one in findings if one["finding"] != "note"]
    assert code == (1 if refuting else 0), (findings, verdict)


@pytest.mark.parametrize(
    ("source", "target", "finding"),
    [
        ("{a}/{b}", "x/{b}/{a}", None),
        ("{root:(.*/)?}t/{job}/{rest...}", "new/{job}/{rest...}", "collision"),
        ("{a}/{b}", "x/{a}-{b}", "collision"),
        ("{a}-{b}", "x/{a}-{b}", "ambiguous"),
        ("{a:[a-z]+}/{b}", "x/{a}-{b}", None),
        ("in/{a|x}", "x", "unusable"),
        ("in/{a}", "x/{a|lower}", "lossy"),
        ("in/{a*}", "x/{a*}", "invalid-target"),
        ("{a*}", "x/{a*}", "loop"),
        ("{y:[0-9]{4}}/{m:[0-9]{2}}/{f}", "{y}{m}/{f}", None),
        ("{id:[a-f]{4}}/{id}.zip", "d/{id}", None),
    ],
)
def test_a_planted_fault_is_found_and_a_good_rule_is_proven(
    source: str, target: str, finding: str | None, tmp_path: Path
) -> None:
    """The rules that people write: no false alarm on the good ones, the right word on the others."""
    text = json.dumps(
        {
            "version": 1,
            "migration": "m",
            "source": {"bucket": "one-bucket"},
            "target": {"bucket": "one-bucket" if finding == "loop" else "two-bucket"},
            "rules": [{"name": "r", "from": source, "to": target}],
        }
    )
    path = tmp_path / "rules.yaml"
    if finding == "unusable":
        path.write_text(text)
        assert CliRunner().invoke(rules_group, ["check", str(path)]).exit_code == 2
        return
    findings, verdict, code = check(text, path)
    words = {one["finding"] for one in findings} - {"note"}
    assert (words == set()) if finding is None else (finding in words), findings
    assert code == (0 if finding is None else 1), verdict
