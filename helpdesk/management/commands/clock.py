"""Run the desk's clock alone, where the servers are told not to (HELPDESK_CLOCK=off).

Every server process may run it, and several at once do no harm; a process of its own
keeps it going when the servers are busy or restarted.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection, transaction

from helpdesk import clock, followups, pairing, pulse
from helpdesk.database import db_now


class Command(BaseCommand):
    help = "Run what happens when nobody acts: lapses, lost agents, the sweep, mails."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="One look, then end.")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while True:
            try:
                look()
            except OperationalError as error:
                if options["once"]:
                    raise
                self.stderr.write(f"The database is away: {error}")
                connection.close()
            if options["once"] or stop.wait(clock.TICK_SECONDS):
                return


def look() -> None:
    queues = clock.tick()
    again = bool(queues)
    while again:
        with transaction.atomic():
            again = pairing.drain(queues) == pairing.DRAIN
    followups.send_due(db_now())
    pulse.beat()
