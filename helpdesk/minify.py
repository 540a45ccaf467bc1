"""JavaScript without its comments and spare spaces.

For scripts written as ours are: every statement ends with a semicolon, so that a line
break means no more than a space; and in templates (htm's) a line break means nothing.
Templates may stand in templates, which the usual small minifiers do not follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
SPACE = re.compile(r"\s+")
WORD = re.compile(r"[\w$#\u0080-\uffff]+")
TEXT = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))+", re.DOTALL)  # of a template
# After these a slash begins a regular expression; after a value it divides.
BEFORE_REGEX = re.compile(r"(?:^|[(,=:\[!&|?{};>+\-*%~^]|\b(?:return|typeof|case))$")
IN_WORD = re.compile(r"[\w$#\\\u0080-\uffff]")


class Unreadable(Exception):
    """The script ends inside something, or holds what is not understood."""


def minified(source: str) -> str:
    written: list[str] = []
    spaced = False
    for kind, text in _tokens(source):
        if kind == "space":
            spaced = True
            continue
        if spaced and written and _must_part(written[-1], text):
            written.append(" ")
        written.append(text)
        spaced = False
    return "".join(written)


def _must_part(before: str, after: str) -> bool:
    """`return x`, and `a - -b`; but `a = b` may be `a=b`."""
    last, first = before[-1], after[0]
    if IN_WORD.match(last) and IN_WORD.match(first):
        return True
    return last == first and first in "+-/"


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    """Kind and text. Comments count as spaces; a template comes in pieces."""
    place = 0
    within: list[str] = []  # "`" in a template's text, "{" in braces, "$" in its ${ }
    before = ""
    while place < len(source):
        in_text = bool(within) and within[-1] == "`"
        kind, end = (_in_template if in_text else _in_code)(source, place, before)
        text = source[place:end]
        place = end
        if kind == "space":
            yield kind, " "
            continue
        if kind == "text":
            text = re.sub(r"\s*\n\s*", "\n", text)
        _step(within, text, in_text=in_text)
        before = text if kind != "word" else f" {text}"
        yield kind, text
    if within:
        raise Unreadable("The script ends too early.")


def _step(within: list[str], text: str, *, in_text: bool) -> None:
    """Keep account of what we are in."""
    if text == "`":
        within.pop() if in_text else within.append("`")
    elif text == "${":
        within.append("$")
    elif text == "{" and not in_text:
        within.append("{")
    elif text == "}" and not in_text:
        if not within:
            raise Unreadable("A brace too many.")
        within.pop()


def _in_template(source: str, place: int, _before: str) -> tuple[str, int]:
    if source[place] == "`":
        return "mark", place + 1
    if source.startswith("${", place):
        return "mark", place + 2
    found = TEXT.match(source, place)
    if not found:
        raise Unreadable(f"In a template: {source[place : place + 20]!r}")
    return "text", found.end()


def _in_code(source: str, place: int, before: str) -> tuple[str, int]:
    for kind, pattern in (("space", SPACE), ("space", COMMENT), ("word", WORD)):
        if found := pattern.match(source, place):
            return kind, found.end()
    letter = source[place]
    if letter in "'\"":
        found = STRING.match(source, place)
    elif letter == "/" and BEFORE_REGEX.search(before):
        found = REGEX.match(source, place)
    else:
        return "mark", place + 1
    if not found:
        raise Unreadable(source[place : place + 20])
    return "literal", found.end()
