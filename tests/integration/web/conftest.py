"""A commune with a whole shift in it, and clients of every role."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from collector.web.app import build_app
from tests.support.clock import FakeClock
from tests.support.databases import fresh_url
from tests.support.duty import NOW_MS, PASSWORD, QUICK_PASSWORDS, Duty, a_whole_shift
from tests.support.web_server import VIETNAM

CLIP = bytes(range(256)) * 40
SignIn = Callable[..., TestClient]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Duty, list[str]]:
    """A whole shift, made once and closed, and its incidents' ids, newest first."""
    duty = Duty(tmp_path_factory.mktemp("shift"))
    incidents = a_whole_shift(duty, CLIP)
    duty.database.close()
    return duty, incidents


@pytest.fixture
def duty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Duty]:
    """A commune of this test's own: with the whole shift where the test asks for `shift`, else empty."""
    url = None
    if "shift" in request.fixturenames:
        made, _ = request.getfixturevalue("prepared")
        shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
        url = fresh_url(tmp_path, copy_of=made.url)
    duty = Duty(tmp_path, url=url, made_before=1000)
    yield duty
    duty.database.close()


@pytest.fixture
def shift(prepared: tuple[Duty, list[str]], duty: Duty) -> list[str]:
    """The incidents' ids, newest first."""
    return prepared[1]


@pytest.fixture
def client(duty: Duty, clock: FakeClock) -> TestClient:
    """A browser that nobody has signed in."""
    app = build_app(duty.database, duty.folder, VIETNAM, None, clock, passwords=QUICK_PASSWORDS)
    return TestClient(app, base_url="http://desk.test", follow_redirects=False, raise_server_exceptions=False)


def try_login(client: TestClient, name: str, password: str = PASSWORD, **more: str):
    client.get("/login")
    tie = client.cookies.get("vg_form", path="/login") or ""
    return client.post("/login", data={"name": name, "password": password, "form": tie, **more})


@pytest.fixture
def sign_in(duty: Duty, clock: FakeClock) -> SignIn:
    """A browser in which this user has signed in."""
    app = build_app(duty.database, duty.folder, VIETNAM, None, clock, passwords=QUICK_PASSWORDS)

    def sign(name: str) -> TestClient:
        browser = TestClient(app, base_url="http://desk.test", follow_redirects=False, raise_server_exceptions=False)
        assert try_login(browser, name).status_code == 303
        return browser

    return sign


def csrf_of(client: TestClient) -> str:
    page = client.get("/boxes").text
    return page.split('<meta name="csrf" content="')[1].split('"')[0]
