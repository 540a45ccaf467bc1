"""A small disk that can be filled. To mount one takes root; a machine that does not let
us is told apart from a desk that fails."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024


class CannotMount(Exception):
    """Nothing was tried."""


class Disk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.ballast = path / "ballast"

    def fill(self) -> None:
        with self.ballast.open("ab", buffering=0) as file:
            for size in (MIB, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def free(self) -> None:
        self.ballast.unlink()


@contextlib.contextmanager
def mounted(path: Path, mib: int, owner: int = 0) -> Iterator[Disk]:
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={mib}m,uid={owner},gid={owner},mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True
    )
    if done.returncode:
        raise CannotMount(done.stderr.decode().strip())
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
