"""Links to where a customer says they were."""

from __future__ import annotations

import re
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

WEB = re.compile(r"https?://[^\s/]", re.IGNORECASE)


def web_link(url: Any, title: Any = "") -> SafeString | str:
    """A link, if it is to the web; a customer may have sent javascript: or worse."""
    words = str(title or url or "–")
    if not isinstance(url, str) or not WEB.match(url):
        return words
    return format_html(
        '<a href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>',
        url,
        words,
    )
