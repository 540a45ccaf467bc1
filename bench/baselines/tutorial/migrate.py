"""Makes the tutorial's one table: python -m bench.baselines.tutorial.migrate"""

import os

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.baselines.tutorial.settings")

if __name__ == "__main__":
    django.setup()
    from .models import Message

    with connection.schema_editor() as editor:
        editor.create_model(Message)
