"""Posts from an operating-system process of its own and prints what was acked:

python -m tests.helpdesk.postman CONVERSATION NAME COUNT
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

import django


def main(conversation: str, name: str, count: str) -> None:
    django.setup()
    asyncio.run(post(UUID(conversation), name, int(count)))


async def post(conversation: UUID, name: str, count: int) -> None:
    from helpdesk import writer
    from helpdesk.models import Conversation

    customer = (await Conversation.objects.aget(pk=conversation)).customer_id
    for n in range(count):
        id = f"{name}-{n:06}"
        post = writer.Post(customer, "customer", conversation, id, f"{name} {n}")
        await writer.add(post)
        print(id, flush=True)  # noqa: T201 (its answer to the test)
    await writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
