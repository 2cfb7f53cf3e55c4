"""docs/operating.md explains each metric that the functions count, and no other."""

import re

from tests.docs.citing import ROOT

PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
COUNTED = re.compile(r"observer\.count\((.*?)\)$", re.MULTILINE)


def test_each_metric_is_explained() -> None:
    """By the names in the code, also where a condition chooses one of two."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "handlers").rglob("*.py")]
    counted = {
        name for text in texts for call in COUNTED.findall(text) for name in re.findall(r'"([A-Z][A-Za-z]+)"', call)
    }
    section = PAGE[PAGE.index("## Metrics of the functions") : PAGE.index("## Dead-letter messages")]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == counted
    assert "Handled" in counted
