"""docs/performance.md is what the kept results say."""

import json

from bench.page import PAGE, PARTS, page
from bench.results import KEPT, read_result


def test_the_page_is_made_of_the_kept_results() -> None:
    """Write it anew with ``python -m bench page``."""
    assert PAGE.read_text(encoding="utf-8") == page({name: read_result(name) for name in PARTS})


def test_every_kept_result_is_shown() -> None:
    """A result that no page shows tells nobody anything; the requests are pinned by a test of their own."""
    assert {path.stem for path in KEPT.iterdir()} == set(PARTS)


def test_the_kept_results_are_small() -> None:
    """They are read by people, in a diff."""
    assert all(len(json.dumps(read_result(name))) < 20_000 for name in PARTS)
