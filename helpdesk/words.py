"""The words of a page's scripts, in the reader's language.

Each app has a `djangojs` catalogue; its page carries it as JSON
(`{{ words|json_script:"words" }}`), which static/chat/words.js reads. Django's own
JavaScriptCatalog would send a script that evaluates plural rules; ours are a table.
"""

from __future__ import annotations

import functools
import gettext
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.translation import get_supported_language_variant, to_locale

PLURALS = 200  # every language's rule repeats each hundred from here on


@functools.cache
def words(app: str, language: str) -> dict[str, Any]:
    """`{locale, words, plural}`; a text that is missing stands for itself."""
    found = gettext.translation(
        "djangojs",
        localedir=f"{apps.get_app_config(app).path}/locale",
        languages=[to_locale(language)],
        fallback=True,
    )
    entries = getattr(found, "_catalog", {})
    rule = getattr(found, "plural", lambda n: int(n != 1))
    plural = "".join(str(rule(n)) for n in range(PLURALS)) if entries else ""
    return {
        "locale": bcp47(language),
        "words": _by_text(entries),
        "plural": plural if plural.strip("0") else "",
    }


def bcp47(language: str) -> str:
    """As HTML and Intl spell it: zh-hans becomes zh-Hans."""
    first, *rest = language.split("-")
    return "-".join([first, *(p.title() if len(p) == 4 else p.upper() for p in rest)])


def best(*wanted: str | None) -> str:
    """The first of these languages that the desk speaks, else its own. `zh-CN` is
    `zh-hans`, and `en-GB` is served by `en`."""
    for language in wanted:
        try:
            return get_supported_language_variant((language or "").lower())
        except LookupError:
            continue
    return settings.LANGUAGE_CODE


def _by_text(entries: dict[Any, str]) -> dict[str, str | list[str]]:
    """gettext's own keys are texts, and (text, form) where there are plurals."""
    result: dict[str, Any] = {}
    for key, text in sorted(entries.items(), key=lambda entry: str(entry[0])):
        if isinstance(key, tuple):
            result.setdefault(key[0], []).append(text)
        elif key:
            result[key] = text
    return result
