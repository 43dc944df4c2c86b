"""Debian's Chromium over the real web on a loopback port. Every page is watched: what it asks for and what it says."""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from collector.store import users
from tests.support.databases import fresh_url
from tests.support.duty import Duty, a_clip, a_whole_shift
from tests.support.web_server import serving

DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return a_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@dataclass
class Site:
    """The commune, its address, and the incidents that were there at the beginning, newest first."""

    duty: Duty
    address: str
    incidents: list[str]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, clip: bytes) -> tuple[Duty, list[str]]:
    """A shift that ends now, made once."""
    duty = Duty(tmp_path_factory.mktemp("shift"), now_ms=time.time_ns() // 1_000_000)
    incidents = a_whole_shift(duty, clip)
    duty.database.close()
    return duty, incidents


@pytest.fixture
def site(tmp_path: Path, prepared: tuple[Duty, list[str]]) -> Iterator[Site]:
    made, incidents = prepared
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    duty = Duty(tmp_path, now_ms=made.now_ms, url=fresh_url(tmp_path, copy_of=made.url), made_before=1000)
    with serving(duty) as address:
        yield Site(duty, address, incidents)
    duty.database.close()


@dataclass
class Watch:
    """What a page asked for and said that it should not have."""

    address: str
    foreign: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def over(self, page) -> None:
        page.on("request", lambda request: self._asked(request.url))
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and not url.startswith(self.address):
            self.foreign.append(url)

    def _heard(self, message) -> None:
        is_missing_page = message.location.get("url", "").endswith("/nothing")
        if message.type in ("error", "warning") and not is_missing_page:
            self.said.append(f"{message.text} ({message.location.get('url', '')})")


def give_session(duty: Duty, context, address: str, name: str) -> None:
    """Have this user signed in there, without the form."""
    secret, now_ms = secrets.token_urlsafe(32), time.time_ns() // 1_000_000
    with duty.database.write() as connection:
        users.add_session(connection, secret, name, secrets.token_urlsafe(32), now_ms, now_ms + 86_400_000)
    context.add_cookies(
        [{"name": "vg_session", "value": secret, "url": address, "httpOnly": True, "sameSite": "Strict"}]
    )


OpenAs = Callable[..., object]


@pytest.fixture
def open_as(chromium, site: Site) -> Iterator[OpenAs]:
    """A browser of its own, signed in, on the first page. Closed and judged at the end of the test."""
    watches = []
    with ExitStack() as closing:

        def sign_in(name: str, size=DESKTOP, scheme: str = "light", language: str = "vi"):
            context = chromium.new_context(viewport=size, color_scheme=scheme)
            closing.callback(context.close)
            context.set_default_timeout(10_000)
            context.add_cookies([{"name": "vg_language", "value": language, "url": site.address}])
            give_session(site.duty, context, site.address, name)
            page = context.new_page()
            watch = Watch(site.address)
            watch.over(page)
            watches.append(watch)
            page.goto(f"{site.address}/")
            page.wait_for_selector("#link[data-link=live]", state="attached")
            return page

        sign_in.watches = watches
        yield sign_in
    for watch in watches:
        assert watch.foreign == []
        assert watch.said == []
