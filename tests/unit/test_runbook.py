"""Whoever is called at night finds what the alarm and the finding name."""

import re
from pathlib import Path

import pytest

from domain import errors
from domain.audit.findings import Fault
from domain.errors import KeyshiftError
from domain.protocol.causes import REMEDIES, Cause, told

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^### (alarm-[a-z-]+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


def test_every_alarm_of_the_stack_has_its_section() -> None:
    """And every section is some alarm's."""
    named = set(
        re.findall(r"\$\{param:runbookUrl\}#(alarm-[a-z-]+)", (ROOT / "serverless.yml").read_text(encoding="utf-8"))
    )
    assert named == set(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_what_to_do(name: str) -> None:
    """What it means, where to look, what next, whom to call."""
    for word in (r"\*\*Means\*\*", r"\*\*Look\*\*", r"\*\*Next\*\*", r"\*\*[Cc]all"):
        assert re.search(word, SECTIONS[name])


def test_the_first_table_has_every_alarm() -> None:
    """With how long an operator has, so that the night's first question is answered first."""
    first = RUNBOOK[RUNBOOK.index("## First") : RUNBOOK.index("## Alarms")]
    rows = re.findall(r"^\| \[[a-z-]+\]\(#(alarm-[a-z-]+)\) \|(?: [^|]+ \|){4}$", first, re.MULTILINE)
    assert sorted(rows) == sorted(SECTIONS)


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the tables below a heading, without their heads."""
    section = RUNBOOK[RUNBOOK.index(f"### {heading}\n") :].split("\n### ")[0].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if set(row[0].strip()) - set("-")]


def test_each_alarm_has_one_severity() -> None:
    """With a deadline, and a role to call then."""
    rows = [row for row in table("Who to call") if re.match(r"\d: ", row[0])]
    assert [row[0][0] for row in rows] == ["1", "2", "3"]
    named = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row[1])]
    assert sorted(f"alarm-{name}" for name in named) == sorted(SECTIONS)
    assert all(cell for row in rows for cell in row)


def test_the_roles_to_call_are_in_the_table_with_room_for_a_name() -> None:
    """The words after **Call**, and those of the table of severities."""
    rows = table("Who to call")
    roles = {row[0] for row in rows if row[-1] == ""}
    assert {"operator", "acting operator", "bucket owner", "platform", "security"} == roles
    for text in SECTIONS.values():
        called = re.findall(r"\*\*[Cc]all\*\*\s+(?:the\s+)?([a-z]+(?:\s+owner)?)|\*\*[Cc]all (\w+)\*\*", text)
        assert called
        assert {" ".join((one or other).split()) for one, other in called} <= roles


def test_the_runbook_speaks_of_claims() -> None:
    """One word for one thing (docs/design/glossary.md)."""
    assert "lease" not in RUNBOOK.lower()


def test_logs_are_named_as_the_stack_names_them() -> None:
    """Each function's log group, the audit's and the dashboard."""
    stack = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    section = RUNBOOK[RUNBOOK.index("### Logs and dashboard") : RUNBOOK.index("## Alarms")]
    functions = re.findall(
        r"^    name: \$\{self:custom\.name\}-([a-z-]+)$", stack[stack.index("\nfunctions:") :], re.MULTILINE
    )
    assert len(functions) == 11
    assert [name for name in functions if not re.search(rf"(?:STAGE|…)-{name}`", section)] == []
    assert "LogGroupName: /aws/events/${self:custom.name}-audit" in stack
    assert "`/aws/events/keyshift-STAGE-audit`" in section


def test_anchors_named_elsewhere_exist() -> None:
    """In code, documents and messages."""
    places = [*ROOT.glob("docs/*.md"), *(ROOT / "handlers").rglob("*.py")]
    named = {one for path in places for one in re.findall(r"runbook\.md#([a-z-]+)", path.read_text(encoding="utf-8"))}
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)}
    assert named <= headings
    assert "alarm-audit-gap" in named


def test_every_finding_is_explained() -> None:
    """By its name."""
    audit = (ROOT / "docs/audit.md").read_text(encoding="utf-8")
    assert [fault.value for fault in Fault if f"`{fault.value}`" not in audit] == []


def test_every_cause_of_a_record_is_explained_with_its_remedy() -> None:
    """One row each, in the words that commands print."""
    rows = [f"| `{cause.value}` | {told(cause)} | {remedy} |" for cause, remedy in REMEDIES.items()]
    assert [row for row in rows if row not in RUNBOOK] == []


def test_every_cause_that_the_protocol_writes_has_a_remedy() -> None:
    """Whatever becomes a CONFLICT, or is parked, waits for a person."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "domain" / "protocol").glob("*.py")]
    written = {
        Cause[name] for text in texts for name in re.findall(r"(?:cause=|_conflict\(|\.set_aside\()Cause\.(\w+)", text)
    }
    assert written >= {Cause.COPY_DELETED_AFTER_CLEANUP, Cause.SOURCE_ABSENT, Cause.ARCHIVED}
    assert written <= set(REMEDIES)


def test_every_error_has_a_word_among_the_causes() -> None:
    """A failed request's word is stored in the record."""
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, KeyshiftError)]
    assert {kind.cause for kind in kinds} <= set(Cause)
