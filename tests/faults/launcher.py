"""The product with something wrong in it, for tests alone:

    python -m tests.faults.launcher start --port N

FAULTS_BUG names a function of bugs.py or sabotage.py, which patches this process
before it serves. The product itself knows nothing of it.
"""

from __future__ import annotations

import os

from helpdesk import __main__ as product  # before Django loads daphne


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    import django

    django.setup()
    from . import bugs, sabotage

    name = os.environ["FAULTS_BUG"]
    patch = getattr(bugs, name, None) or getattr(sabotage, name)
    patch()
    product.main()


if __name__ == "__main__":
    main()
