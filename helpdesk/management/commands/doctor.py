"""Examine this installation, from inside and through its public address:

    manage.py doctor             half a minute, most of it waiting
    manage.py doctor --inside    what the servers stand on, without asking them

Run it where and as a server runs, with its environment. Ends with 1 when something
has failed.
"""

from __future__ import annotations

import sys
import textwrap
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from helpdesk import doctor
from helpdesk.doctor.findings import State

WIDTH = 88


class Command(BaseCommand):
    help = "Examine this installation, from inside and through its public address."
    requires_system_checks = ()  # the doctor shows them among the rest

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--inside", action="store_true", help="Nothing public.")
        parser.add_argument("--site", help="The key of the site to visit.")
        parser.add_argument(
            "--silence",
            type=float,
            default=doctor.SILENCE_SECONDS,
            help="Seconds for which connections must live without a word.",
        )

    def handle(
        self,
        *args: Any,
        inside: bool,
        site: str | None,
        silence: float,
        **options: Any,
    ) -> None:
        found: list[State] = []
        public = settings.HELPDESK_PUBLIC_URL
        if public and not inside:
            # First: a desk begins, and looks at its clock, with its first visitor.
            visit = doctor.examine_outside(public, site or any_site(), silence)
            found += map(self.show, visit)
        found += map(self.show, doctor.examine_inside())
        failed = found.count(State.ILL)
        poor = found.count(State.POOR)
        self.stdout.write(f"\n{failed} failed, {poor} warnings, of {len(found)}.")
        if failed:
            sys.exit(1)

    def show(self, finding: doctor.Finding) -> State:
        """As soon as it is known."""
        style = {State.ILL: self.style.ERROR, State.POOR: self.style.WARNING}
        state = style.get(finding.state, self.style.SUCCESS)(f"{finding.state:8}")
        self.stdout.write(f"{state} {finding.what}")
        if finding.why:
            self.stdout.write(textwrap.fill(finding.why, WIDTH, **indent(9)))
        for line in filter(None, finding.mend):
            self.stdout.write(f"         → {line}")
        self.stdout.flush()
        return finding.state


def indent(columns: int) -> dict[str, Any]:
    space = " " * columns
    return {"initial_indent": space, "subsequent_indent": space}


def any_site() -> str | None:
    try:
        sites = apps.get_model("customers", "Site").objects
        return sites.order_by("pk").values_list("key", flat=True).first()
    except DatabaseError:
        return None  # as the doctor will say
