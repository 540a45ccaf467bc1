"""Wiring: what a server process serves.

`python -m helpdesk start` serves it best; any ASGI server can.
"""

from __future__ import annotations

import os
from typing import Any

from asgiref.typing import ASGI3Application
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
django: Any = get_asgi_application()  # before what follows, which needs the models

from django.conf import settings  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from agents.consumers import AgentConsumer  # noqa: E402
from customers.consumers import CustomerConsumer  # noqa: E402

from . import checks  # noqa: E402
from .consumers import drain  # noqa: E402
from .door import Door, nowhere  # noqa: E402
from .lifespan import Lifespan  # noqa: E402
from .routes import Routes  # noqa: E402
from .static import StaticFiles  # noqa: E402

checks.refuse_unsafe()

# path() is typed for Django's views; these are ASGI applications.
agent: Any = AgentConsumer.as_asgi()
customer: Any = CustomerConsumer.as_asgi()
nothing: Any = nowhere
sockets: Any = [
    path("ws/customer/<str:key>/", customer),
    # Bare: Channels' session middleware would hide the transport from the consumer,
    # which then could not see who does not read.
    path("ws/agent/", agent),
    re_path("", nothing),
]

application: ASGI3Application = Door(
    Routes(http=django, sockets=sockets),
    proxies=settings.HELPDESK_PROXIES,
    loopback_only=settings.HELPDESK_DEMO or not settings.HELPDESK_LIMITS,
)
if settings.HELPDESK_PRODUCTION:  # otherwise runserver and `run` serve them
    application = StaticFiles(application, settings.STATIC_ROOT, settings.STATIC_URL)
application = Lifespan(application, drain)
