"""The file that docs/rules.md begins with is one that ships."""

import re

from tests.docs.citing import ROOT

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


def test_the_small_file_is_the_one_that_is_named() -> None:
    """Byte for byte, so that it can be copied from either place."""
    found = re.search(r"This is `([^`]+)`, complete\..*?```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    assert found[2] == (ROOT / found[1]).read_text(encoding="utf-8")
