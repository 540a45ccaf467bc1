"""What the story page needs beside Django's own tags."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

from helpdesk import uploads
from helpdesk.admin import web_link
from helpdesk.models import Attachment

register = template.Library()


@register.simple_tag
def signed_url(attachment: Attachment) -> str:
    """An address that opens the file for staff, for an hour."""
    return uploads.signed_url(attachment, uploads.STAFF)


@register.simple_tag
def page_link(page: Any) -> SafeString | str:
    page = page if isinstance(page, dict) else {}
    return web_link(page.get("url"), page.get("title"))
