"""What tests of several folders stand on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.postgres import ended_with_the_tests

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked slow wait for VONGGAC_SLOW=1."""
    if os.environ.get("VONGGAC_SLOW") != "1":
        for item in items:
            if item.get_closest_marker("slow") is not None:
                item.add_marker(pytest.mark.skip(reason="slow: VONGGAC_SLOW=1 runs it"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Debian's Chromium under Playwright: one for the whole run, because Playwright's sync API allows one."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def _postgres_ends_with_the_tests() -> Iterator[None]:
    with ended_with_the_tests():
        yield


@pytest.fixture(autouse=True)
def _logs_are_as_they_were() -> Iterator[None]:
    """A command that a test runs in this process sets up its own logs; the next test must not inherit its level."""
    yield
    structlog.reset_defaults()
