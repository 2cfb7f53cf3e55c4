"""The report opened in a real browser: it is drawn, fits a phone, and runs nothing that an owner's key says."""

import re
from pathlib import Path

import pytest

from handlers.cli.pages.report import POLICY, report_page
from tests.browser import CHROMIUM, colours_of, framed, run_browser, screenshot
from tests.docs.report_pictures import SIZES, draw
from tests.report_sample import HOSTILE, sample_report

pytestmark = [
    pytest.mark.slow("starts a browser for each look"),
    pytest.mark.skipif(
        CHROMIUM is None, reason="NO BROWSER: install the package chromium, the report is not looked at without it"
    ),
]
WIDTHS = [390, 1280]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample report as a file."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_page(sample_report()), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_drawn(page: Path, tmp_path: Path, width: int) -> None:
    """Text, cards and charts in their colours, at a phone's and a desk's width."""
    picture = tmp_path / "page.png"
    screenshot(framed(page, width=width, height=900), picture, width=max(width, 500), height=900)
    wide, high, colours = colours_of(picture)
    assert (wide, high) == (max(width, 500), 900)
    assert b"\xf4\xf6\xf8" in colours, "no card"
    assert b"\x1f\x6f\xeb" in colours, "no line of a chart"
    assert len(colours) > 30


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(page: Path, width: int) -> None:
    """Not even a key without any place to break."""
    script = (
        "<script>onload=()=>{const d=frames[0].document;document.body.dataset.wide="
        "d.documentElement.scrollWidth+' '+d.querySelectorAll('svg').length}</script>"
    )
    outer = framed(page, width=width, height=900)
    outer.write_text(outer.read_text(encoding="utf-8") + script, encoding="utf-8")
    found = re.search(r'data-wide="(\d+) (\d+)"', run_browser(outer, "--dump-dom"))
    assert found is not None
    assert int(found[1]) <= width
    assert int(found[2]) == 5


def test_the_documents_pictures_can_be_drawn(tmp_path: Path) -> None:
    """By the command that CONTRIBUTING.md names, at both widths."""
    draw(tmp_path)
    for width, height in SIZES.items():
        wide, high, colours = colours_of(tmp_path / f"report-{width}.png")
        assert (wide, high) == (width, height)
        assert b"\x1f\x6f\xeb" in colours, "no line of a chart"


def test_a_hostile_key_is_only_text(page: Path) -> None:
    """Scripts and event handlers in keys stay what they are: text; that holds without the page's policy too."""
    unguarded = page.with_name("unguarded.html")
    unguarded.write_text(page.read_text(encoding="utf-8").replace(POLICY, ""), encoding="utf-8")
    for path in (page, unguarded):
        seen = run_browser(path, "--dump-dom", "--virtual-time-budget=2000")
        assert "<title>edge-cv-portal: migration report</title>" in seen
        assert "<script" not in seen
        assert "<img" not in seen
        assert seen.count("document.title='owned'") == len([key for key in HOSTILE if "owned" in key])


def test_it_prints(page: Path, tmp_path: Path) -> None:
    """As a PDF of a few pages."""
    pdf = tmp_path / "page.pdf"
    run_browser(page, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
    assert 2 <= pages <= 8
