"""Every page of the collector: accessible, as wide as its screen, and without anything from elsewhere.

All of it happens in a network namespace that has loopback alone: what a page would fetch from outside cannot come.
"""

import time

import pytest
from starlette.routing import Route

from collector.store import rules
from collector.web.app import ROUTES, build_app
from tests.browser.conftest import DESKTOP, PHONE, Watch, give_session
from tests.browser.secluded import browser_within, namespace, serving_within
from tests.browser.seen import begin_judging, bring_axe, flaws
from tests.support.clock import FakeClock
from tests.support.databases import sqlite_only
from tests.support.duty import Duty, a_whole_shift
from tests.support.every_page import fill_every_page
from tests.support.web_server import VIETNAM

pytestmark = pytest.mark.chromium

PAGES = {
    "/": ("/", "/?state=new"),
    "/incidents/{id}": tuple(f"/incidents/{{{number}}}" for number in range(4)),  # goes on, stored, several, waits
    "/episodes/{id}": ("/episodes/{untold}",),
    "/search": (
        "/search",
        "/search?time=lúc nào",
        "/search?camera=truong-tieu-hoc/hanh-lang&time=hôm qua 14:35",
        "/search?day=01/01/2020",
    ),
    "/cameras": ("/cameras",),
    "/map": ("/map",),
    "/mutes": ("/mutes",),
    "/rules": ("/rules?edit={rule}",),
    "/start": ("/start",),
    "/boxes": ("/boxes",),
    "/boxes/{id}": ("/boxes/truong-tieu-hoc", "/boxes/tram-y-te"),
    "/outages": ("/outages",),
    "/availability": ("/availability",),
    "/maintenance": ("/maintenance",),
    "/updates": ("/updates",),
    "/audit": ("/audit", "/audit?who=nobody"),
    "/login": ("/login",),
}
"""Each route that gives a page, and the addresses at which it is judged."""

NO_PAGE = {
    "/incidents/{id}/card": "a piece of the first page, which that page's scripts fetch; it is judged there",
    "/lent/{id}": "a picture, or the error page",
    "/healthz": "one word of plain text",
    "/metrics": "figures for Prometheus",
}
"""Each other route that GET asks for outside of /api, and why nobody judges it as a page."""

ERRORS = ("/nothing", "/incidents/no-id", "/search?what=1")
FOR_OTHERS = {"lan": ("/", "/incidents/{1}", "/audit"), "son": ("/boxes",), "hoa": ("/incidents/{1}", "/map")}
"""What bars, buttons and refusals look like to who may less than an administrator."""

LOOKS = {"vi": ("light", "dark"), "en": ("dark", "light")}
"""The scheme at the desk and on the phone, by language: each scheme in each size once."""


@pytest.fixture(scope="module")
def commune(tmp_path_factory, clip):
    """A whole shift with everything else that pages speak of, and the ids in their addresses."""
    duty = Duty(tmp_path_factory.mktemp("pages"), now_ms=time.time_ns() // 1_000_000)
    incidents = a_whole_shift(duty, clip)
    untold = fill_every_page(duty)
    with duty.database.read() as connection:
        (rule,) = rules.list_rules(connection)
    yield duty, incidents, {"untold": untold, "rule": rule.id}
    duty.database.close()


@pytest.fixture(scope="module")
def secluded(chromium, commune, tmp_path_factory):
    """The address of that commune and a browser, with nothing else in the world."""
    with (
        namespace() as within,
        serving_within(within, commune[0]) as address,
        browser_within(within, chromium, tmp_path_factory.mktemp("browser")) as browser,
    ):
        yield address, browser


def test_every_route_that_gives_a_page_is_judged_here(commune):
    duty = commune[0]
    app = build_app(duty.database, duty.folder, VIETNAM, None, FakeClock(duty.now_ms))
    asked_for = {route.path for route in app.routes if isinstance(route, Route) and "GET" in (route.methods or ())}
    others = {path for path in asked_for if path.startswith("/api/")}
    assert asked_for - others == {*PAGES, *NO_PAGE}
    assert {entry.path for entry in ROUTES if entry.style == "page" and entry.method == "GET"} <= {*PAGES, *NO_PAGE}
    assert not others & {entry.path for entry in ROUTES if entry.style == "page"}


@sqlite_only
def test_there_is_no_way_out(secluded):
    from playwright.sync_api import Error

    _, browser = secluded
    page = browser.new_page()
    with pytest.raises(Error, match=r"ERR_(INTERNET_DISCONNECTED|ADDRESS_UNREACHABLE)"):
        page.goto("http://192.0.2.1/")
    page.close()


@pytest.fixture(scope="module")
def pages(secluded):
    """A page in each language, both watched."""
    address, browser = secluded
    watch, opened = Watch(address), {}
    for language in LOOKS:
        context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
        context.add_cookies([{"name": "vg_language", "value": language, "url": address}])
        opened[language] = context.new_page()
        watch.over(opened[language])
    return address, opened, watch


@sqlite_only
@pytest.mark.parametrize("route", PAGES)
def test_a_page_is_accessible_fits_its_screen_and_needs_nothing_from_elsewhere(pages, commune, route):
    if route == "/login":
        judge_for_all(pages, commune, None, PAGES[route])
    else:
        judge_for_all(pages, commune, "thu", PAGES[route])


@sqlite_only
@pytest.mark.parametrize("who", FOR_OTHERS)
def test_so_is_what_people_with_fewer_rights_get(pages, commune, who):
    judge_for_all(pages, commune, who, FOR_OTHERS[who])


@sqlite_only
def test_so_is_every_page_that_says_what_is_wrong(pages, commune):
    judge_for_all(pages, commune, "thu", ERRORS)


def judge_for_all(pages, commune, who, paths):
    """Each address in both languages, at the desk and on the phone, one axe for each language at a time."""
    (address, opened, watch), (duty, incidents, ids) = pages, commune
    watch.said.clear()
    watch.foreign.clear()
    wrong = []
    for page in opened.values():
        page.context.clear_cookies(name="vg_session")
        if who is not None:
            give_session(duty, page.context, address, who)
    for path in paths:
        for language, page in opened.items():
            answer = page.goto(address + path.format(*incidents, **ids))
            wrong += [f"{path} ({language}): {each}" for each in flaws_of_answer(answer)]
            assert page.evaluate("document.documentElement.lang") == language
            if who is not None and answer.status == 200:
                page.wait_for_selector("#link[data-link=live]", state="attached", timeout=5_000)
            bring_axe(page)
        for look, size in enumerate((DESKTOP, PHONE)):
            for language, page in opened.items():
                page.set_viewport_size(size)
                page.emulate_media(color_scheme=LOOKS[language][look])
                begin_judging(page)
            for language, page in opened.items():
                where = f"{path} ({language}, {size['width']} px, {LOOKS[language][look]})"
                wrong += [f"{where}: {each}" for each in flaws(page)]
    assert wrong == []
    assert watch.foreign == []
    assert [word for word in watch.said if "the server responded with a status of 4" not in word] == []


def flaws_of_answer(answer):
    policy = answer.headers["content-security-policy"]
    if "text/html" not in answer.headers["content-type"]:
        yield "no page"
    if not policy.startswith("default-src 'self';") or "unsafe" in policy:
        yield policy
