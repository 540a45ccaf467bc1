"""What is checked before anything is served: a wrong setting has a name and a hint."""

from __future__ import annotations


def refuse_unsafe() -> None:
    """Filled in below."""
