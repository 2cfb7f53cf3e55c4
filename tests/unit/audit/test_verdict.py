"""What ``keyshift audit verify`` tells a person."""

from typing import Any

import pytest

from domain.audit.findings import Fault, Finding
from domain.audit.verification import Verification
from handlers.cli.audit import line_of, verdict_of
from tests.worlds.audited import Audited, verifier_of


def verdict(**figures: Any) -> str:
    """The verdict of a verification with these figures."""
    return verdict_of(verifier_of(Audited(), figures=Verification(**figures)))


@pytest.mark.parametrize(
    ("figures", "said", "unsaid"),
    [
        ({}, "the audit is whole: 0 segments, 0 events, 0 records", "versions"),
        ({"pending": 2}, "2 changes too young to be in it yet", "late"),
        ({"unkept": 1}, "its bucket keeps no versions", "late"),
        ({"late": 3}, "the audit is late: 3 findings in 0 segments", "whole"),
        ({"late": 3}, "alarm-iterator-age", "BROKEN"),
        ({"findings": 2}, "THE AUDIT IS BROKEN: 2 findings in 0 segments", "late"),
        ({"findings": 2, "late": 3}, "THE AUDIT IS BROKEN: 2 findings and 3 late in 0 segments", "whole"),
    ],
)
def test_the_verdict_is_whole_late_or_broken(figures: dict[str, Any], said: str, unsaid: str) -> None:
    """What is late is not called broken, and neither of the two is good."""
    assert said in verdict(**figures)
    assert unsaid not in verdict(**figures)
    assert Verification(**figures).is_good == ("whole" in verdict(**figures))


def test_a_key_does_not_write_on_the_terminal() -> None:
    """Its escape sequences are shown as text, and a late finding is told as one."""
    finding = Finding(Fault.RECORD_UNAUDITED, "s3://b/\x1b[2J: nothing", is_late=True)
    assert line_of(finding) == "late, record-unaudited: s3://b/\\x1b[2J: nothing"
