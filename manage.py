#!/usr/bin/env python
"""Django's command line."""

import atexit
import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    # Nothing said about production: somebody's own machine, as with any new Django
    # project. A server that is started without manage.py never assumes so.
    if not {"DEBUG", "SECRET_KEY", "DATABASE_URL", "PUBLIC_URL"} & os.environ.keys():
        os.environ["DEBUG"] = "on"
    if sys.argv[1:2] == ["runserver"]:
        bring_valkey()
    execute_from_command_line(sys.argv)


def bring_valkey() -> None:
    """A private one, unless there is one: the reloader's children inherit it."""
    if os.environ.get("REDIS_URL"):
        return
    from helpdesk.embedded import Valkey

    valkey = Valkey()
    atexit.register(valkey.stop)
    os.environ["REDIS_URL"] = valkey.url


if __name__ == "__main__":
    main()
