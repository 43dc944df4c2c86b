"""Incidents that come in while browsers look, and what became of them."""

import time

from collector.store import desk
from collector.store.alerts import NewAlert, enqueue
from tests.support.duty import a_picture


def rings(site, incident):
    """What the rules would have enqueued for the post's screen."""
    duty = site.duty
    with duty.database.write() as connection:
        now_ms = time.time_ns() // 1_000_000
        alert = NewAlert(
            id=duty.new_id(), key=f"ring {incident}", kind="incident", channel="screen", severity="normal", rings=True,
            created_ms=now_ms, incident=incident,
        )  # fmt: skip
        enqueue(connection, alert)
        duty.tell(connection, "incident", incident)


def arrive(site, camera="nga-ba-cho/duong-lon", seed=7):
    duty, at_ms = site.duty, time.time_ns() // 1_000_000
    box, _, name = camera.partition("/")
    episode = duty.started(box, name, at_ms, zones=("làn xe",), picture=a_picture(seed))
    incident = duty.incident(camera, episode, start_ms=at_ms, last_ms=at_ms)
    rings(site, incident)
    return incident


def sound_of(page):
    return page.locator("#sound").get_attribute("data-state")


def struck(page):
    return int(page.locator("#sound").get_attribute("data-struck") or 0)


def outcome_of(site, incident):
    with site.duty.database.read() as connection:
        found = desk.find_incident(connection, incident)
    return found.state, found.owner, found.outcome
