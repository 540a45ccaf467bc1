from __future__ import annotations

import os
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

STORES = os.environ.get("STORES") == "on"


class ChatConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        words = self.scope["url_route"]["kwargs"]
        self.side = words["side"]
        self.room = f"pair-{words['pair']}"
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        if STORES:
            await self.store(content)
        await self.send_json({"type": "ack", "id": content["id"]})
        event = {
            "type": "chat.message",
            "sender": self.channel_name,
            "message": {"id": content["id"], "text": content["text"]},
        }
        await self.channel_layer.group_send(self.room, event)

    async def store(self, content: dict[str, Any]) -> None:
        from .models import Message

        await Message.objects.acreate(
            room=self.room,
            author=self.side,
            client_id=content["id"],
            text=content["text"],
        )

    async def chat_message(self, event: dict[str, Any]) -> None:
        if event["sender"] != self.channel_name:
            await self.send_json(
                {"type": "message.posted", "message": event["message"]}
            )
