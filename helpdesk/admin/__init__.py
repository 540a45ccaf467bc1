"""The back office: queues with their members and live numbers, transcripts, and what
supervisors did.

Django's permissions say what somebody may do, `Site.managers` of which sites. Every
list, choice and id goes through `own`, so that another site's row is not found,
however its id was learnt.
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from . import queues, transcripts  # noqa: F401  (register their pages)
from .links import web_link
from .own import OwnRelatedFilter, OwnSites, ReadOnly, Rows, choices, sites_of

__all__ = [
    "OwnRelatedFilter",
    "OwnSites",
    "ReadOnly",
    "Rows",
    "choices",
    "sites_of",
    "web_link",
]

admin.site.site_header = _("Helpdesk")
admin.site.site_title = _("Helpdesk")
admin.site.index_title = _("Back office")
