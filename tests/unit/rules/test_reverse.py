"""Turning a target key round: filters beside repeated names, and keys that could be tried without end."""

import pytest

from domain.proofs.proof import ProofVerdict, prove_rules
from domain.rules.compiled import MAX_EFFORT, CompiledRules
from domain.rules.template_filters import Effort
from handlers.config.rules_file import read_rules

HEAD = "version: 1\nmigration: m\nsource: {bucket: src-bucket}\ntarget: {bucket: dst-bucket}\n"


def rules(source: str, target: str) -> CompiledRules:
    """One rule between two buckets."""
    return read_rules(HEAD + f"rules: [{{name: a, from: '{source}', to: '{target}'}}]\n")


def legacy(compiled: CompiledRules, target_key: str) -> list[str]:
    """The legacy keys of a target key."""
    return [mapped.key for mapped in compiled.unmap_key(target_key).keys]


@pytest.mark.parametrize(
    ("source", "target", "key"),
    [
        ("{n:[ab]+}", "{n|upper}/{n}", "ab"),
        ("{n:[ab]+}", "{n}/{n|upper}", "ab"),
        ("{n:[ab]+}", "{n|upper}/{n|lower}", "ab"),
        ("{n:[aB]+}", "{n|upper}/{n|lower}/{n}", "aB"),
        ("{n:[aB]+}", "{n|upper}/{n|lower}/{n|upper}", "aBaB"),
        ("{n:[aB]+}/{m}", "{n|upper}{m}/{n}/{n|lower}", "aBaB/x"),
        ("{n:[a-z]+}", "{n|upper}/x", "abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_a_filter_beside_a_repeated_name_is_turned_round(source: str, target: str, key: str) -> None:
    """What is proven has a way back: the plain text says what the filter took away."""
    compiled = rules(source, target)
    mapped = compiled.map_key(key)
    assert mapped.target is not None
    assert legacy(compiled, mapped.target.key) == [key]


def test_a_rule_that_is_proven_has_a_way_back_for_long_texts() -> None:
    """``[ab]+`` has one origin of each text in upper case, however long it is."""
    compiled = rules("{n:[ab]+}", "{n|upper}/{n}")
    assert prove_rules(compiled).verdict is ProofVerdict.PROVEN
    assert legacy(compiled, "AB" * 100 + "/" + "ab" * 100) == ["ab" * 100]


@pytest.mark.parametrize("key", ["AB/aB", "AB/Ab", "AB/b", "AB/abc", "Ab/ab", "AB/AB"])
def test_occurrences_that_do_not_agree_have_no_origin(key: str) -> None:
    """Each place must hold the same text, through its own filter."""
    assert legacy(rules("{n:[ab]+}", "{n|upper}/{n}"), key) == []


def test_a_target_that_could_be_tried_without_end_is_given_up_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer tells that more legacy keys may exist, and what the remedy is."""
    compiled = rules("{a}/{b}/{c}/{d}", "n/{a|lower}-{b}-{c}-{d}")
    assert legacy(compiled, "n/1-2-3-4") == ["1/2/3/4"]
    spent = list[int]()
    spend = Effort.spend

    def counted(effort: Effort, amount: int) -> None:
        spent.append(amount)
        spend(effort, amount)

    monkeypatch.setattr(Effort, "spend", counted)
    turned = compiled.unmap_key("n/" + "abcdefghijklmn-" * 64)
    assert turned.keys == ()
    assert "too many ways" in str(turned.reason)
    assert sum(spent[:-1]) <= MAX_EFFORT < sum(spent)


def test_an_answer_that_is_whole_has_no_reason() -> None:
    """Only what was given up is said to be incomplete."""
    turned = rules("{a}/{b}", "n/{a|lower}-{b}").unmap_key("n/1-2")
    assert ([one.key for one in turned.keys], turned.reason) == (["1/2"], None)
    assert rules("{a}", "n/{a}").unmap_key("other").reason is None
