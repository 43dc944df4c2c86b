"""More boxes want a release than may fetch it at once."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import Message

from collector.releases import door
from tests.support.office import Office
from tests.support.releases import BOX, KEY, a_release, offer
from vonggac.daemon.signatures import public_hex

SCOPE = {"type": "http", "method": "GET", "headers": []}


@pytest.fixture
def fetch(tmp_path: Path) -> Iterator[Callable[[], door.Response]]:
    """Asks for a release's archive anew."""
    office = Office(tmp_path / "office")
    office.register(BOX)
    office.shelf.trust(public_hex(KEY))
    manifest = offer(office, a_release(tmp_path, "2.0.0"))
    at = door.ReleaseDoor(office.database, office.shelf, office.clock)
    yield lambda: at.archive(BOX, manifest.archives[0].sha256)
    office.close()


class Line:
    """One box's connection. Nothing gets through before `opened`; `status` is the answer's."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.asked = asyncio.Event()
        self.status = 0

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.asked.set()
        await self.opened.wait()

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        return {}


async def begun(answer: door.Response) -> tuple[Line, "asyncio.Task[None]"]:
    line = Line()
    task = asyncio.create_task(answer(SCOPE, line.receive, line.send))
    await line.asked.wait()
    return line, task


def test_so_many_fetch_at_once_and_the_others_are_told_to_ask_again(fetch: Callable[[], door.Response]) -> None:
    async def trial() -> None:
        fetching = [await begun(fetch()) for _ in range(door.FETCH_AT_ONCE)]
        assert [line.status for line, _ in fetching] == [200] * door.FETCH_AT_ONCE
        one_more, told = await begun(fetch())
        assert one_more.status == 503
        for line, _ in [*fetching, (one_more, told)]:
            line.opened.set()
        await asyncio.gather(told, *(task for _, task in fetching))
        line, task = await begun(fetch())
        assert line.status == 200
        line.opened.set()
        await task

    asyncio.run(trial())


def test_who_takes_for_ever_is_cut_off_and_holds_no_turn(
    fetch: Callable[[], door.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "LONGEST_FETCH_S", 0.05)

    async def trial() -> None:
        for _ in range(door.FETCH_AT_ONCE + 1):
            line, task = await begun(fetch())
            assert line.status == 200
            with pytest.raises(TimeoutError):
                await task

    asyncio.run(trial())
