"""The sign-in form."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from django.utils.translation import gettext_lazy as _


class SignIn(LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        login, password = self.fields["login"], self.fields["password"]
        login.label = _("User name or e-mail")
        # allauth says "email", for which password managers do not offer user names.
        login.widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}
        for field in (login, password):
            field.widget.attrs.pop("placeholder", None)  # the label says it
