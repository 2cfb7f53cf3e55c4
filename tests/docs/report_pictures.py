"""``python -m tests.docs.report_pictures``: draw the report page in Chromium, at two widths, for docs/pictures."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from handlers.cli.pages.report import report_page
from tests.browser import cut_to, framed, screenshot
from tests.docs.pictures import FOLDER
from tests.report_sample import shown_report

SIZES: Mapping[int, int] = {1200: 1190, 400: 1640}
"""Each picture's width, and its height: down to the last chart."""
_NARROWEST_WINDOW = 500


def draw(folder: Path) -> None:
    """Write ``report-WIDTH.png`` for each width."""
    with tempfile.TemporaryDirectory() as place:
        page = Path(place, "report.html")
        page.write_text(report_page(shown_report()), encoding="utf-8")
        for width, height in SIZES.items():
            picture, window = folder / f"report-{width}.png", max(width, _NARROWEST_WINDOW)
            screenshot(framed(page, width=width, height=height), picture, width=window, height=height)
            cut_to(picture, width)


if __name__ == "__main__":
    draw(FOLDER)
