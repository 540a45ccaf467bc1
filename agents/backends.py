"""Whether a password is somebody's."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest


class Passwords(AuthenticationBackend):  # type: ignore[misc]
    """allauth tries what was typed as a name and as an address, one after the other. A
    known address was hashed for twice and an unknown one once: the time told which
    addresses have an account."""

    def authenticate(
        self, request: HttpRequest | None, **credentials: Any
    ) -> AbstractBaseUser | None:
        self._tried: set[Any] = set()
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        return user

    def _check_password(
        self, user: AbstractBaseUser | None, password: str
    ) -> AbstractBaseUser | None:
        if user is None or user.pk in self._tried:
            return None
        self._tried.add(user.pk)
        right: AbstractBaseUser | None = super()._check_password(user, password)
        return right
