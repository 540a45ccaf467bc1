"""A frame's type picks from a table. It never names a method."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.consumers import AgentConsumer
from agents.voice import AgentVoice
from customers.consumers import CustomerConsumer, SocketVoice
from helpdesk import protocol
from helpdesk.errors import BadFrame

AGENTS = (protocol.parse_agent, AgentConsumer, AgentVoice, protocol.AgentCommand)
CUSTOMERS = (
    protocol.parse_customer,
    CustomerConsumer,
    SocketVoice,
    protocol.CustomerCommand,
)


@pytest.mark.parametrize("side", [AGENTS, CUSTOMERS])
def test_no_method_can_be_called_by_its_name(side: tuple[Any, ...]) -> None:
    parse, socket, voice, commands = side
    types = {command.__struct_config__.tag for command in commands.__args__}
    names = {*dir(socket), *dir(voice)} - types
    spelled = {each.replace("_", ".") for each in names} - types
    for name in names | spelled | {"websocket.disconnect", "http.request"}:
        with pytest.raises(BadFrame):
            parse(json.dumps({"type": name, "id": "12345678"}))


@pytest.mark.parametrize("side", [AGENTS, CUSTOMERS])
def test_the_table_holds_what_the_contract_names_and_no_more(
    side: tuple[Any, ...],
) -> None:
    _, socket, voice, commands = side
    assert {*voice.verbs} | {socket.hello} == {*commands.__args__}
