"""What a server holds in memory."""

from __future__ import annotations

import re
from pathlib import Path

from tests.live import ServerProcess


def megabytes(process: ServerProcess) -> float:
    """What it holds in memory now."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    (kibibytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kibibytes) / 1024
