"""The file that docs/rules.md begins with is one that ships, and its other blocks can be added to it."""

import re

import pytest

from handlers.config.rules_file import read_rules
from tests.docs.citing import ROOT

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
WHOLE, *BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_small_file_is_the_one_that_is_named() -> None:
    """Byte for byte, so that it can be copied from either place."""
    found = re.search(r"This is `([^`]+)`, complete\..*?```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    assert found[2] == (ROOT / found[1]).read_text(encoding="utf-8")


@pytest.mark.parametrize("block", BLOCKS)
def test_each_other_block_can_be_added_to_it(block: str) -> None:
    """It says something: the rules are others with it."""
    assert read_rules(WHOLE + block) != read_rules(WHOLE)


def test_there_are_blocks() -> None:
    """Else the test above would say nothing."""
    assert len(BLOCKS) == 4
