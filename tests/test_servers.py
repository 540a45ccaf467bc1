"""The run is on the servers it claims: one that quietly used others proves nothing."""

from __future__ import annotations

import os

import pytest
from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings
from django.db import connection

from tests.servers import ON_SQLITE


@pytest.mark.django_db
def test_the_database_is_the_one_asked_for() -> None:
    assert connection.vendor == ("sqlite" if ON_SQLITE else "postgresql")


@pytest.mark.django_db
def test_sqlite_is_a_file() -> None:
    """The writer's own connection would see nothing of a database in memory."""
    if connection.vendor == "sqlite":
        assert "memory" not in str(connection.settings_dict["NAME"])
        assert os.path.exists(connection.settings_dict["NAME"])


def test_the_channel_layer_is_the_one_of_production() -> None:
    assert isinstance(get_channel_layer(), RedisPubSubChannelLayer)


def test_each_worker_has_groups_of_its_own() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    assert settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"].endswith(
        worker or "helpdesk"
    )


def test_debug_is_off() -> None:
    assert settings.DEBUG is False
