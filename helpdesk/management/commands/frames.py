"""Write docs/frames.schema.json: every frame of the wire contract as JSON Schema.

manage.py frames           write it anew
manage.py frames --check   change nothing; fail if it is not what the code says
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from helpdesk import protocol as wire

FILE = Path(settings.BASE_DIR) / "docs" / "frames.schema.json"

TO_CUSTOMERS: tuple[Any, ...] = (
    wire.CustomerWelcome,
    wire.StartAck,
    wire.PostAck,
    wire.ConversationAck[wire.Conversation],
    wire.HistoryAck,
    wire.Refusal,
    wire.CustomerPong,
    wire.Posted,
    wire.Changed[wire.Conversation],
    wire.Typing,
    wire.Beat,
    wire.Bye,
)
TO_AGENTS: tuple[Any, ...] = (
    wire.AgentWelcome,
    wire.PostAck,
    wire.ConversationAck[wire.StaffConversation],
    wire.WatchAck,
    wire.AgentAck,
    wire.HistoryAck,
    wire.Refusal,
    wire.AgentPong,
    wire.Posted,
    wire.Changed[wire.StaffConversation],
    wire.OfferMade,
    wire.OfferWithdrawn,
    wire.AgentChanged,
    wire.QueueChanged,
    wire.Typing,
    wire.Beat,
    wire.Bye,
)
SPOKEN: dict[str, tuple[Any, ...]] = {
    "customerSays": get_args(wire.CustomerCommand),
    "customerHears": TO_CUSTOMERS,
    "agentSays": get_args(wire.AgentCommand),
    "agentHears": TO_AGENTS,
}


class Command(BaseCommand):
    help = "Write the JSON Schema of all frames to docs/frames.schema.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        text = schema()
        if not check:
            FILE.write_text(text)
        elif not FILE.exists() or FILE.read_text() != text:
            raise CommandError(f"{FILE.name} is stale: run manage.py frames.")


def schema() -> str:
    """One definition for each struct, and one for who says what to whom."""
    structs = list(dict.fromkeys(each for spoken in SPOKEN.values() for each in spoken))
    references, definitions = msgspec.json.schema_components(
        structs, ref_template="#/$defs/{name}"
    )
    found = dict(zip(structs, references, strict=True))
    for name, spoken in SPOKEN.items():
        definitions[name] = {"anyOf": [found[each] for each in spoken]}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Helpdesk wire contract, version {wire.VERSION}",
        "description": "One text message is one frame. docs/protocol.md explains them.",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in SPOKEN],
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
