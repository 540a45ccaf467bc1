"""What is collected for production."""

from __future__ import annotations

import re
from pathlib import Path


def test_sources_of_what_is_packed_are_left_out(static_root: Path) -> None:
    """With everything else under the names by which pages fetch it."""
    assert not list(static_root.glob("vendor/*.js"))
    assert not list(static_root.glob("dashboard/**/*.js"))
    assert list(static_root.glob("admin/js/vendor/jquery/*.js"))
    assert {path.name.split(".")[0] for path in static_root.glob("packed/*.js")} == {
        "dashboard",
        "loader",
        "resume",
        "widget",
    }


def test_sources_that_production_does_not_serve_are_left_out(static_root: Path) -> None:
    """Django's admin names the smaller ones when DEBUG is off."""
    names = {re.sub(r"\.[0-9a-f]{12}", "", p.name) for p in static_root.rglob("*.js")}
    for source in ("jquery", "select2.full", "xregexp"):
        assert f"{source}.js" not in names
        assert f"{source}.min.js" in names
