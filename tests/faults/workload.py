"""A day at the desk in fast motion: customers write, agents take, answer, transfer and
end, each on two tabs at once. A seed gives the same decisions again; when they are
taken depends on the desk."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine, Sequence
from typing import Any

import psycopg

from .checking import answered, screens_agree
from .history import Claimed, Ended, History, Page, Usage
from .installation import Installation, until
from .strangers import Stranger
from .tabs import AgentTab, CustomerTab, Frame, Tab, new_id
from .usage import usage

CUSTOMERS = 4
RIVALS = 1
TABS = 2
ARRIVE_SECONDS = 40  # until everybody has been welcomed
ANSWER_SECONDS = 90  # for what is still being sent when everybody stops typing
AGREE_SECONDS = 45  # and then for the last screen to show it
PAUSE_SECONDS = (0.2, 1.2)  # between two acts of one tab
LONG = 12  # messages; then a conversation is brought to an end
STARTS = 8  # of ten an hour that a customer may make
NOTE = "colleagues-only"


class Workload:
    def __init__(
        self,
        house: Installation,
        history: History,
        seed: str,
        *,
        customers: int = CUSTOMERS,
        reset_share: float = 0.02,
    ) -> None:
        self.house = house
        self.history = history
        self.seed = seed
        self.rng = random.Random(seed)
        self.typing = True
        self.reset_share = reset_share
        self.customers: list[CustomerTab] = []
        self.agents: list[AgentTab] = []
        self.starts: dict[str, int] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._people: list[asyncio.Task[Any]] = []
        for site, count in (("shop", customers), ("rival", RIVALS)):
            self._seat(site, count)

    def _seat(self, site: str, count: int) -> None:
        people = self.house.people[site]
        other = "rival" if site == "shop" else "shop"
        secret = (f"of-{other}", NOTE, "colleagues.invalid", '"notes"', '"kind":"note"')
        for number in range(count):
            tabs = [
                CustomerTab(
                    site, people["page"], *self._page(f"{site}-customer{number}.{tab}")
                )
                for tab in range(TABS)
            ]
            for tab in tabs:
                tab.forbidden = secret
                tab.others = [each for each in tabs if each is not tab]
            self.customers += tabs
        for agent in people["agents"]:
            for number in range(TABS):
                page = self._page(f"{agent['name']}.{number}")
                tab = AgentTab(agent["id"], agent["cookie"], *page)
                tab.forbidden = (f"of-{other}",)
                self.agents.append(tab)

    def _page(self, name: str) -> tuple[Any, ...]:
        return name, self.house.roads, self.history, random.Random(self.seed + name)

    @property
    def tabs(self) -> Sequence[Tab]:
        return [*self.customers, *self.agents]

    # --- the day

    async def begin(self) -> None:
        """Everybody arrives, and then starts."""
        for tab in self.tabs:
            tab.looks = self.house.ledger.stored
        for tab in self.agents:
            self._soon(tab.live())
        # The second tab of a browser opens with the first one's token.
        for tab in self.customers[::TABS]:
            self._soon(tab.live())
        first = [*self.agents, *self.customers[::TABS]]
        await until(lambda: all(t.welcomed.is_set() for t in first), ARRIVE_SECONDS)
        for tab in self.customers[1::TABS]:
            self._soon(tab.live())
        await self.everybody_is_here()
        self._people = [self._soon(self._customer(each)) for each in self.customers]
        self._people += [self._soon(self._agent(each)) for each in self.agents]
        self._soon(self._reset_some())
        self._soon(Stranger(self.house, self.history, self).roam())

    async def everybody_is_here(self, seconds: float = ARRIVE_SECONDS) -> None:
        await until(lambda: all(t.welcomed.is_set() for t in self.tabs), seconds)

    async def measure(self, when: str) -> None:
        for what, amount in (await usage(self.house)).items():
            self.history.add(Usage(when=when, what=what, amount=amount))

    async def finish(self) -> None:
        """Nobody types any more; all is answered and every screen complete, or there
        has been time enough."""
        self.typing = False
        with contextlib.suppress(TimeoutError):  # checking.answered tells which
            await until(self._is_quiet, ANSWER_SECONDS)
        await self.measure("after")
        await self._agree()

    def _is_quiet(self) -> bool:
        unanswered = any(each.unanswered for each in self.tabs)
        return not unanswered and all(each.done() for each in self._people)

    async def _agree(self) -> None:
        self.history.pages = [
            Page(tab.name, tab.role, tab.person) for tab in self.tabs if tab.person
        ]
        end = asyncio.get_running_loop().time() + AGREE_SECONDS
        while True:
            known = len(self.history.events)
            try:
                await self.house.ledger.read(self.history)
                if not any((*screens_agree(self.history), *answered(self.history))):
                    # What came since is after the end: nobody has read its rows.
                    del self.history.events[known:]
                    return
            except (psycopg.Error, TimeoutError):
                if asyncio.get_running_loop().time() > end:
                    raise
            if asyncio.get_running_loop().time() > end:
                return
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for tab in self.tabs:
            await tab.close()

    def _soon(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    # --- what people do

    async def _pause(self, rng: random.Random) -> None:
        await asyncio.sleep(rng.uniform(*PAUSE_SECONDS))

    async def _customer(self, tab: CustomerTab) -> None:
        rng = random.Random(f"{self.seed} does {tab.name}")
        site = tab.path.split("/")[3]
        queues = list(self.house.people[site]["queues"].values())
        while self.typing:
            await self._pause(rng)
            if not (self.typing and tab.welcomed.is_set()):
                continue
            if not tab.is_open:
                await self._start(tab, rng.choice(queues), f"of-{site}")
            elif tab.here and rng.random() < 0.02 and _is_long(tab, tab.here):
                await self._end(tab, tab.here)
            elif tab.here:
                self._write(tab, rng, tab.here, f"of-{site}")

    async def _start(self, tab: CustomerTab, queue: str, mark: str) -> None:
        """Of both tabs at once one starts it; the other is told so."""
        if self.starts.get(tab.me, 0) >= STARTS:
            return
        self.starts[tab.me] = self.starts.get(tab.me, 0) + 1
        frame = {"type": "conversation.start", "text": f"{mark} {new_id()}"}
        answer = await tab.says({**frame, "queue": queue})
        if answer["type"] == "ack":
            tab.take_changed(answer["conversation"])

    def _write(
        self, tab: CustomerTab, rng: random.Random, here: str, mark: str
    ) -> None:
        frame = {
            "type": "message.post",
            "id": new_id(),
            "text": f"{mark} {new_id()}",
            "conversation": here,
        }
        tab.posts(frame, here)
        if rng.random() < 0.1:  # both tabs have the same outbox
            for other in tab.others:
                other.posts(dict(frame), here)

    async def _agent(self, tab: AgentTab) -> None:
        rng = random.Random(f"{self.seed} does {tab.name}")
        site = "rival" if tab.name.startswith("Olaf") else "shop"
        taken = self.house.people[site]["queues"]["taken"]
        queues = list(self.house.people[site]["queues"].values())
        while self.typing:
            # All go for what appears, at once: of those who race for it one gets it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rng.uniform(*PAUSE_SECONDS)):
                    await tab.news.wait()
            tab.news.clear()
            if not (self.typing and tab.welcomed.is_set()):
                continue
            line = [id for id, each in tab.line.items() if each["queue"]["id"] == taken]
            if tab.rings and rng.random() < 0.9:
                await self._accept(tab, rng, sorted(tab.rings)[0])
            elif line and rng.random() < 0.8:
                await self._claim(tab, line[0], "conversation.take")
            elif tab.mine:
                here = rng.choice(sorted(tab.mine))
                await self._serve(tab, rng, here, queues, f"of-{site}")

    async def _accept(self, tab: AgentTab, rng: random.Random, id: str) -> None:
        declines = rng.random() < 0.1
        await self._claim(tab, id, "offer.decline" if declines else "offer.accept")
        tab.rings.discard(id)

    async def _claim(self, tab: AgentTab, id: str, how: str) -> None:
        answer = await tab.says({"type": how, "conversation": id})
        if how == "offer.decline":
            return
        self.history.add(
            Claimed(
                agent=tab.me,
                conversation=id,
                code=answer.get("code", ""),
                detail=answer.get("detail", ""),
            )
        )
        if answer["type"] == "ack" and tab.is_news(answer["conversation"]):
            tab.take_changed(answer["conversation"])
        elif answer["type"] == "refused":
            tab.line.pop(id, None)

    async def _serve(
        self,
        tab: AgentTab,
        rng: random.Random,
        here: str,
        queues: list[str],
        mark: str,
    ) -> None:
        chance = rng.random()
        if chance < 0.04:
            to: Frame = {"queue": rng.choice(queues)}
            if tab.colleagues and rng.random() < 0.5:
                to = {"agent": rng.choice(tab.colleagues)}
            frame = {"type": "conversation.transfer", "conversation": here, "to": to}
            await tab.says(frame, f"acts on {here}")
        elif chance < 0.25 and _is_long(tab, here):
            await self._end(tab, here)
        else:
            note = rng.random() < 0.1
            text = f"{NOTE if note else mark} {new_id()}"
            frame = {"type": "message.post", "id": new_id(), "text": text}
            tab.posts({**frame, "conversation": here, "note": note}, here)

    async def _end(self, tab: Tab, here: str) -> None:
        self.history.add(Ended(conversation=here))
        await tab.says({"type": "conversation.end", "conversation": here}, here)

    async def _reset_some(self) -> None:
        """Connections break at any time, fault or not."""
        while self.typing:
            await asyncio.sleep(1)
            for tab in self.tabs:
                if self.rng.random() < self.reset_share:
                    tab.vanish()


def _is_long(tab: Tab, here: str) -> bool:
    return len(tab.held[here]) > LONG
