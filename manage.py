#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    # Nothing said about production: somebody's own machine, as with any new Django
    # project. A server that is started without manage.py never assumes so.
    if not {"DEBUG", "SECRET_KEY", "DATABASE_URL", "PUBLIC_URL"} & os.environ.keys():
        os.environ["DEBUG"] = "on"
    execute_from_command_line(sys.argv)
