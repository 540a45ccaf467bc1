"""Examines an installation: from inside, and from outside as a stranger comes to it.
What is wrong is named together with the line that mends it. Nothing is changed, apart
from a customer who says hello and nothing more, of whom no row is stored."""

from __future__ import annotations

from .findings import Finding
from .inside import examine_inside
from .outside import SILENCE_SECONDS, examine_outside

__all__ = ["SILENCE_SECONDS", "Finding", "examine_inside", "examine_outside"]
