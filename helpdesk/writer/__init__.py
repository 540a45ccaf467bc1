"""Saying things: the only place that inserts messages.

`add` is for posts, which are many: all that wait are committed in one transaction,
and each gets its own answer. `say` is for a verb that changes a conversation and
tells the story in the same transaction.
"""

from .claims import claim
from .line import add, close, waiting
from .plan import Answered, File, Post, Stored
from .say import SystemLine, say, say_lines

__all__ = [
    "Answered",
    "File",
    "Post",
    "Stored",
    "SystemLine",
    "add",
    "claim",
    "close",
    "say",
    "say_lines",
    "waiting",
]
