"""docs/configuration.md has every setting, with its default."""

import re

from handlers.config.settings import Settings, variable_of
from tests.docs.citing import ROOT

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_every_setting_is_there_with_its_default() -> None:
    """In the settings' own order, so that none is forgotten and none is left over."""
    shown = re.findall(r"^\| `(KEYSHIFT_\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
    real = []
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else str(field.default)
        real.append((variable_of(name), "none" if field.default in ("", None, ()) else default))
    assert shown == real
