"""The quick start says what its first command downloads, as uv.lock has it."""

import re
import tomllib
from importlib.metadata import distributions

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from tests.docs.citing import ROOT

QUICKSTART = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
MEGABYTE = 1_000_000


def downloaded() -> int:
    """Bytes of the locked wheels, or sources, of everything that is installed here."""
    installed = {one.name.lower().replace("_", "-").replace(".", "-") for one in distributions() if one.name}
    ranks = {tag: rank for rank, tag in enumerate(sys_tags())}
    total = 0
    for package in LOCK["package"]:
        if package["name"] not in installed or "registry" not in package["source"]:
            continue
        fitting = []
        for wheel in package.get("wheels", []):
            *_, tags = parse_wheel_filename(wheel["url"].rpartition("/")[2])
            fitting += [(ranks[tag], wheel["size"]) for tag in tags if tag in ranks]
        total += min(fitting)[1] if fitting else package["sdist"]["size"]
    return total


def test_the_size_of_the_first_download_is_said() -> None:
    """Within a fifth: versions, platforms and Pythons differ."""
    found = re.search(r"downloads about (\d+) MB from PyPI", QUICKSTART)
    assert found
    assert abs(int(found[1]) * MEGABYTE - downloaded()) < downloaded() / 5


def test_it_is_said_that_no_account_is_needed() -> None:
    """Before the first command."""
    assert "AWS account" in QUICKSTART[: QUICKSTART.index("```console")]
