"""What the browser tests wait for and judge pages by."""

import time
from collections.abc import Callable

AXE_OPTIONS = "{resultTypes: ['violations'], preload: false}"
"""All rules; no second look at style sheets, which takes most of a run and serves rules about playing media alone."""


def until(holds: Callable[[], object], what: str, within_s: float = 5.0) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"{what} within {within_s} s"
        time.sleep(0.02)


def wait_for(page, condition: str) -> None:
    """Playwright's own waiting evaluates strings in the page, which its policy rightly forbids."""
    until(lambda: page.evaluate(condition), condition)


def bring_axe(page) -> None:
    """Put axe-core into the page that is open; it is there until another page is."""
    from axe_playwright_python.base import AXE_SCRIPT

    page.evaluate(AXE_SCRIPT)


def begin_judging(page) -> None:
    """Have axe begin; other pages may meanwhile."""
    page.evaluate(f"judged = axe.run(document, {AXE_OPTIONS}); null")


def flaws(page) -> list[str]:
    """What axe has found wrong since `begin_judging`, and whether anything is wider than the screen."""
    found = page.evaluate("judged.then((all) => all.violations)")
    told = [f"{rule['id']} {node['target']}: {node['failureSummary']}" for rule in found for node in rule["nodes"]]
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        told.append("wider than the screen")
    return told


def judge(page, path: str, language: str) -> None:
    """No finding, and the right language."""
    bring_axe(page)
    begin_judging(page)
    assert flaws(page) == [], path
    assert page.evaluate("document.documentElement.lang") == language
