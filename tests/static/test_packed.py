"""What browsers fetch is made of the sources as they are now."""

from __future__ import annotations

import subprocess
from pathlib import Path

from django.conf import settings

PACKED = Path(settings.BASE_DIR) / "static" / "packed"


def test_what_is_packed_is_current(tmp_path: Path) -> None:
    """`make pack` brings it up to date."""
    subprocess.run([Path(settings.BASE_DIR) / ".ci" / "pack", tmp_path], check=True)
    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    here = {path.name: path.read_text() for path in PACKED.iterdir()}
    assert here.keys() == fresh.keys()
    assert [name for name in here if here[name] != fresh[name]] == []
