import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.baselines.tutorial.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from .consumers import ChatConsumer  # noqa: E402

sockets = [path("pair/<int:pair>/<int:side>", ChatConsumer.as_asgi())]
application = ProtocolTypeRouter({"http": django, "websocket": URLRouter(sockets)})
