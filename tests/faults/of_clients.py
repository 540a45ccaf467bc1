"""Clients that misbehave, or are very many at once. Others must not notice."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .disks import Disk, mounted
from .faults import Scene, fault
from .history import Acked, Ended, Sent, Usage
from .installation import Installation, Services, installed, until
from .of_services import PAGE, PONG_SECONDS, enters, slowest_pong
from .tabs import Frame, new_id
from .usage import cores_used

NOT_READ_SECONDS = 75  # the contract says 60
TOO_BIG, TOO_BIG_HERE, TOO_FAST = 1009, 4413, 4429


async def while_others_are_well(
    scene: Scene, seconds: float, bound: float = PONG_SECONDS
) -> None:
    worst = await slowest_pong(scene, seconds)
    if worst > bound:
        scene.wrong(f"meanwhile a ping of others took {worst:.1f} s")


async def says(own: ClientConnection, **frame: object) -> None:
    await own.send(json.dumps(frame))


async def hears(own: ClientConnection, *types: str) -> Frame:
    while True:
        frame: Frame = json.loads(await own.recv())
        if frame["type"] in types:
            return frame


async def tells(scene: Scene, own: ClientConnection, me: str, **frame: str) -> Frame:
    """What a customer of a fault's own sends, written down as the workload's is."""
    frame = {"id": new_id(), **frame}
    note_sent(scene, me, frame)
    await says(own, **frame)
    answer = await hears(own, "ack", "refused")
    note_answer(scene, me, answer)
    return answer


def note_sent(scene: Scene, me: str, frame: Frame) -> None:
    if "text" in frame:
        who = {"tab": me, "sender": me, "id": frame["id"]}
        scene.history.add(Sent(**who, conversation=None, text=frame["text"]))


def note_answer(scene: Scene, me: str, answer: Frame) -> None:
    where = answer.get("conversation", "")
    here = where["id"] if isinstance(where, dict) else where
    if "seq" in answer:
        acked = Acked(
            tab=me, sender=me, id=answer["id"], conversation=here, seq=answer["seq"]
        )
        scene.history.add(acked)
    # They leave when the fault is over, whatever becomes of it then.
    scene.history.add(Ended(conversation=here))


async def close_code(own: ClientConnection, seconds: float = 10) -> int | None:
    """With which it is closed; None when it is not."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await own.recv()
                except ConnectionClosed:
                    return own.close_code
    return None


# --- one that misbehaves


@fault()
async def a_client_never_reads(scene: Scene) -> None:
    """It asks for its history again and again, and leaves the answers lying."""
    async with enters(scene) as own:
        await says(own, type="hello")
        me = (await hears(own, "welcome"))["customer"]["id"]
        await tells(scene, own, me, type="conversation.start", text=new_id())
        for _ in range(25):
            await tells(scene, own, me, type="message.post", text=new_id() * 100)
        own.transport.pause_reading()
        asking = asyncio.create_task(_asks_without_reading(own))
        try:
            await while_others_are_well(scene, NOT_READ_SECONDS)
        finally:
            asking.cancel()
        own.transport.resume_reading()
        if await close_code(own) is None:
            scene.wrong("who does not read is not sent away")


async def _asks_without_reading(own: ClientConnection) -> None:
    with contextlib.suppress(WebSocketException):
        while True:
            for _ in range(8):
                await says(own, type="history.get", id=new_id(), before=999, limit=100)
            await asyncio.sleep(1)


@fault()
async def a_client_floods(scene: Scene) -> None:
    async def flood() -> None:
        async with enters(scene) as own:
            await says(own, type="hello")
            with contextlib.suppress(WebSocketException):
                for _ in range(5_000):
                    await says(own, type="typing", on=True)
            if (code := await close_code(own)) != TOO_FAST:
                scene.wrong(f"a flood was closed with {code}")

    await asyncio.gather(*(flood() for _ in range(5)), while_others_are_well(scene, 6))


@fault()
async def frames_are_too_big(scene: Scene) -> None:
    async def bring() -> None:
        async with enters(scene) as own:
            await says(own, type="hello")
            with contextlib.suppress(WebSocketException):
                await own.send("x" * 2_000_000)
            code = await close_code(own)
            # A reset overtakes the close frame when megabytes are still on their way.
            if code not in (TOO_BIG, TOO_BIG_HERE, 1006):
                scene.wrong(f"a frame of two megabytes was closed with {code}")

    async def repeat() -> None:
        for _ in range(20):
            await bring()

    await asyncio.gather(repeat(), while_others_are_well(scene, 6))


@fault()
async def a_flood_of_pings(scene: Scene) -> None:
    """WebSocket's own, which no application sees."""

    async def ping() -> None:
        with contextlib.suppress(WebSocketException):
            async with enters(scene) as own:
                await says(own, type="hello")
                for _ in range(10_000):
                    await own.ping()

    await asyncio.gather(*(ping() for _ in range(3)), while_others_are_well(scene, 6))


@fault()
async def requests_drip(scene: Scene) -> None:
    """One byte at a time, on many connections."""

    async def drip(number: int) -> None:
        port = scene.house.processes[number % 2].port
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(OSError):
            for letter in b"POST /widget/shop/poll/ HTTP/1.1\r\nHost: 127.0.0.1":
                writer.write(bytes([letter]))
                await asyncio.sleep(0.2)
        writer.close()

    await asyncio.gather(
        *(drip(number) for number in range(100)), while_others_are_well(scene, 10)
    )


# --- one id


@fault()
async def one_id_five_times_at_once(scene: Scene) -> None:
    """From three sockets and two polls, on both servers: one message, one answer."""
    for _ in range(10):
        async with contextlib.AsyncExitStack() as open_:
            own = [await open_.enter_async_context(enters(scene)) for _ in range(3)]
            await says(own[0], type="hello")
            welcome = await hears(own[0], "welcome")
            token, me = welcome["token"], welcome["customer"]["id"]
            await tells(scene, own[0], me, type="conversation.start", text=new_id())
            for other in own[1:]:
                await says(other, type="hello", token=token)
                await hears(other, "welcome")
            await _five_times(scene, own, token, me)
            await tells(scene, own[0], me, type="conversation.end")


async def _five_times(
    scene: Scene, own: list[ClientConnection], token: str, me: str
) -> None:
    command: Frame = {"type": "message.post", "id": new_id(), "text": new_id()}
    note_sent(scene, me, command)

    async def by_socket(each: ClientConnection) -> Frame:
        await says(each, **command)
        return await hears(each, "ack", "refused")

    async def by_poll(number: int) -> Frame:
        road = scene.house.roads[number].url
        frames = await asyncio.to_thread(polled, road, token, command)
        return next(each for each in frames if each["type"] in ("ack", "refused"))

    answers = await asyncio.gather(
        *(by_socket(each) for each in own), *(by_poll(number) for number in (0, 1))
    )
    note_answer(scene, me, answers[0])
    if any(each != answers[0] or each["type"] != "ack" for each in answers):
        scene.wrong(f"one id was answered differently: {answers}")
    rows = await scene.house.ledger.query(
        "SELECT seq FROM helpdesk_message WHERE text = %s", [command["text"]]
    )
    if rows != [(answers[0].get("seq"),)]:
        scene.wrong(f"one id is stored as {rows}")


def polled(url: str, token: str, command: Frame) -> list[Frame]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=15)
    body = json.dumps({"token": token, "frames": [command], "after": 0})
    words = {**PAGE, "Content-Type": "application/json"}
    try:
        connection.request("POST", "/widget/shop/poll/", body, words)
        frames: list[Frame] = json.loads(connection.getresponse().read())["frames"]
        return frames
    finally:
        connection.close()


# --- a thousand

CROWD = 1_000
BACK_SECONDS = 60
CROWDED_SECONDS = 20  # of a ping meanwhile: a thousand clients share this very loop
CALM_SECONDS = 10  # after which the servers are as they were
ADDRESSES = 8  # an address may have 500 sockets on a server


@fault()
async def a_thousand_come_back_at_once(scene: Scene) -> None:
    """And those who talk with them, whose gaps must be filled. Soon afterwards the
    servers have no more to do than before."""
    crowd = [Visitor(scene, number) for number in range(CROWD)]
    doing = [asyncio.create_task(each.live()) for each in crowd]
    try:
        await until(lambda: all(each.here for each in crowd), 2 * BACK_SECONDS)
        await asyncio.sleep(CALM_SECONDS)
        await _note_cores(scene, "before")
        for each in crowd:
            each.vanish()
        for road in scene.house.roads:
            road.cut()
        await asyncio.gather(
            _back_in_time(scene, crowd),
            while_others_are_well(scene, CALM_SECONDS, CROWDED_SECONDS),
        )
        await asyncio.sleep(CALM_SECONDS)
        await _note_cores(scene, "after")
    finally:
        for task in doing:
            task.cancel()
        await asyncio.gather(*doing, return_exceptions=True)


async def _note_cores(scene: Scene, when: str) -> None:
    for what, amount in (await cores_used(scene.house)).items():
        scene.history.add(Usage(when=when, what=what, amount=amount))


async def _back_in_time(scene: Scene, crowd: list[Visitor]) -> None:
    try:
        await until(lambda: all(each.here for each in crowd), BACK_SECONDS)
    except TimeoutError:
        gone = sum(not each.here for each in crowd)
        scene.wrong(f"{gone} of {len(crowd)} were not back within {BACK_SECONDS} s")


class Visitor:
    """Looks at the shop's page with the widget open, and has not written."""

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene = scene
        self.rng = scene.workload.rng
        process = scene.house.processes[number % 2]
        self.url = f"ws://127.0.0.1:{process.port}/ws/customer/shop/"
        self.address = (f"127.0.0.{2 + number % ADDRESSES}", 0)
        self.socket: ClientConnection | None = None
        self.here = False
        self.token: str | None = None

    def vanish(self) -> None:
        self.here = False
        if self.socket:
            self.socket.transport.abort()

    async def live(self) -> None:
        tries = 0
        while True:
            await asyncio.sleep(self.rng.uniform(0.25, 0.5 * 2 ** min(tries, 6)))
            tries += 1
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with connect(
                    self.url,
                    additional_headers=PAGE,
                    proxy=None,
                    ping_interval=None,
                    open_timeout=20,
                    local_addr=self.address,
                ) as self.socket:
                    await says(self.socket, type="hello", token=self.token)
                    self.token = (await hears(self.socket, "welcome"))["token"]
                    self.here, tries = True, 0
                    async for _ in self.socket:
                        pass
            self.here = False


# --- files


@fault()
async def uploads_are_cut_at_half(scene: Scene) -> None:
    """Whoever sends the whole file afterwards gets it stored, and no half is left."""
    token = await newcomer(scene)
    for _ in range(10):
        await asyncio.to_thread(upload, scene.house, token, 0.5)
    if (status := await asyncio.to_thread(upload, scene.house, token, 1)) != 201:
        scene.wrong(f"a whole file after ten halves was answered with {status}")
    await _every_file_has_a_row(scene)


async def _every_file_has_a_row(scene: Scene) -> None:
    rows = await scene.house.ledger.query("SELECT count(*) FROM helpdesk_attachment")
    files = stored_files(scene.house)
    if len(files) != rows[0][0]:
        scene.wrong(f"{rows[0][0]} rows, but {len(files)} files are stored")


def stored_files(house: Installation) -> list[Path]:
    uploads = house.folder / "uploads" / "attachments"
    return [path for path in uploads.rglob("*") if path.is_file()]


@contextlib.asynccontextmanager
async def with_small_uploads(services: Services) -> AsyncIterator[Installation]:
    async with installed(services) as house:
        with mounted(house.folder / "uploads", 4) as disk:
            house.disk = disk
            yield house


@fault(with_small_uploads)
async def the_disk_for_files_is_full(scene: Scene) -> None:
    """Files are refused; talking goes on."""
    disk, token = scene.house.disk, await newcomer(scene)
    assert isinstance(disk, Disk)
    disk.fill()
    for _ in range(5):
        status = await asyncio.to_thread(upload, scene.house, token, 1)
        if status not in (429, 503):
            scene.wrong(f"with a full disk an upload was answered with {status}")
    await while_others_are_well(scene, 3)
    disk.free()
    if (status := await asyncio.to_thread(upload, scene.house, token, 1)) != 201:
        scene.wrong(f"with room again an upload was answered with {status}")
    await _every_file_has_a_row(scene)


async def newcomer(scene: Scene) -> str:
    async with enters(scene) as own:
        await says(own, type="hello")
        return str((await hears(own, "welcome"))["token"])


def upload(house: Installation, token: str, share: float) -> int:
    """So much of a file; the status, 0 when we hung up before."""
    mark = uuid.uuid4().hex
    body = (
        f"--{mark}\r\nContent-Disposition: form-data; name=file; filename=a.txt\r\n"
        f"Content-Type: text/plain\r\n\r\n{'words and ' * 20_000}\r\n--{mark}--\r\n"
    ).encode()
    head = (
        f"POST /widget/shop/uploads/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Origin: {PAGE['Origin']}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={mark}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    port = house.processes[0].port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(head + body[: int(len(body) * share)])
        if share < 1:
            return 0
        return int(line.recv(100).split()[1])
