"""A page as a browser would read it: what in it could run, and what its headers let
run."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

SAFE_SCRIPTS = {"application/json"}
ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "xlink:href"}
ACTIVE = ("javascript:", "vbscript:", "data:text/html")


class Reader(HTMLParser):
    """Collects what a strict policy would forbid."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "style" or (
            tag == "script"
            and "src" not in values
            and values.get("type") not in SAFE_SCRIPTS
        ):
            self.found.append(f"<{tag}> in line")
        for name, value in values.items():
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.found.append(f'{tag} {name}="{value}"')
            if name in ADDRESSES and value.strip().lower().startswith(ACTIVE):
                self.found.append(f'{tag} {name}="{value}"')
        if tag in ("object", "embed", "applet", "base"):
            self.found.append(f"<{tag}>")

    handle_startendtag = handle_starttag


def in_line(html: str) -> list[str]:
    reader = Reader()
    reader.feed(html)
    return reader.found


def policy(response: Any) -> dict[str, list[str]]:
    parts = response.get("Content-Security-Policy", "").split(";")
    directives = (part.split() for part in parts if part.strip())
    return {name: sources for name, *sources in directives}


LOOSE = {"'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "*", "http:", "https:"}


def loose(response: Any) -> list[str]:
    """What is wrong with its policy."""
    rules = policy(response)
    wrong = [
        f"{name} {source}"
        for name, sources in rules.items()
        for source in sources
        if source in LOOSE or source.startswith("'nonce-")
    ]
    for name in ("script-src", "style-src", "default-src"):
        bad = {"data:", "blob:"} & {*rules.get(name, [])}
        wrong += [f"{name} {source}" for source in bad]
    for name, value in {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }.items():
        if rules.get(name) != value:
            wrong.append(f"{name} {rules.get(name)}")
    return wrong
