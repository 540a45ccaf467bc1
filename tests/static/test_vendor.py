"""Other people's files are what the lock says, with licences, and load nothing."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from django.conf import settings

VENDOR = Path(settings.BASE_DIR) / "static" / "vendor"
LOCK = json.loads((VENDOR / "vendor.lock.json").read_text())
SCRIPTS = sorted(path.name for path in VENDOR.glob("*.js"))


def test_every_file_is_in_the_lock_as_it_was_fetched() -> None:
    locked = {
        each["file"]: each["sha256"] for each in LOCK if each["file"].endswith(".js")
    }
    here = {
        name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest()
        for name in SCRIPTS
    }
    assert here == locked


def test_every_package_has_a_licence() -> None:
    assert all(each["licence"] for each in LOCK)
    assert {path.stem for path in VENDOR.glob("LICENSE-*.txt")} >= {
        "LICENSE-preact",
        "LICENSE-htm",
        "LICENSE-signals",
        "LICENSE-lucide",
    }


def test_they_import_only_each_other() -> None:
    for name in SCRIPTS:
        source = (VENDOR / name).read_text()
        assert "sourceMappingURL" not in source
        for address in re.findall(r'from\s*"([^"]+)"', source):
            assert address.removeprefix("./") in SCRIPTS, (name, address)


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    static = VENDOR.parent
    drawn = set(re.findall(r'id="([\w-]+)"', (static / "icons.svg").read_text()))
    used = {
        name
        for path in (static / "widget").glob("[!l]*.js")  # the loader draws its own
        for name in re.findall(
            r'(?:icon\(|IconButton} name=)"([\w-]+)"', path.read_text()
        )
    }
    assert used <= drawn
