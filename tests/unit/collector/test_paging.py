"""Pages along indexes: whole, in order, bounded; and SQLite goes the way that was meant."""

import random

import pytest
from sqlalchemy import event, insert, text

from collector.store import boxes
from collector.store.paging import SCANS
from collector.store.reach import EVERYWHERE, Reach, Spot
from collector.store.schema import episodes
from collector.store.search import Sought, find_episodes
from tests.support.databases import fresh_database, sqlite_only

BOXES = 30
PER_BOX = 1_000


def row(number, box, start_ms, zones=()):
    return {
        "id": f"{number:08d}", "box": box, "camera": f"{box}/cong", "start_ms": start_ms, "last_ms": start_ms + 1,
        "rectangle": [0, 0, 1, 1], "zones": list(zones), "score": 0.5, "path": [],
        "clock": "synced", "first_received_ms": start_ms, "received_ms": start_ms,
        "kind": "tamper:black" if number % 5_000 == 0 else "motion",
    }  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """30,000 episodes on 30 cameras in two communes; the oldest of all alone touched the zone `giếng`."""
    database = fresh_database(tmp_path_factory.mktemp("paging"))
    chance = random.Random(5)
    with database.write() as connection:
        for number in range(BOXES):
            boxes.add_box(connection, f"box-{number:02d}", "Trường", "Xã A" if number < 3 else "Xã B", "", 0)
            boxes.ensure_camera(connection, f"box-{number:02d}", "cong", 0)
        rows = [
            row(number, f"box-{chance.randrange(BOXES):02d}", 1_000_000 + number // 3, ["giếng"] if number == 0 else [])
            for number in range(BOXES * PER_BOX)
        ]
        connection.execute(insert(episodes), rows)
    yield database
    database.close()


def walk(database, sought, limit=400, **more):
    """All pages; the ids in order, and how many pages ended early."""
    key, ids, cut = None, [], 0
    with database.read() as connection:
        for _ in range(200):
            found = find_episodes(connection, sought, key, limit, **more)
            ids += [each.id for each in found.episodes]
            cut += found.is_cut
            if found.more is None:
                return ids, cut
            key = found.more
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(
    "sought",
    [
        Sought(reach=Reach((Spot("Xã A"),))),
        Sought(reach=Reach((Spot("Xã B"),))),
        Sought(reach=Reach((Spot("Xã A"),)), kind="tamper:black"),
        Sought(camera=(None, "cong"), kind="tamper:black"),
        Sought(camera=("box-07", "cong")),
        Sought(kind="tamper:black"),
        Sought(since_ms=1_002_000, until_ms=1_003_000),
    ],
)
def test_all_pages_together_are_what_was_asked_for(database, sought, newest_first):
    ids, _ = walk(database, sought, 450, newest_first=newest_first)
    with database.read() as connection:
        wanted = connection.execute(text("SELECT id, camera, start_ms, kind FROM episodes ORDER BY start_ms, id")).all()
    names = {f"box-{number:02d}/cong" for number in range(3)} if sought.reach.spots else None
    if sought.reach == Reach((Spot("Xã B"),)):
        names = {f"box-{number:02d}/cong" for number in range(3, BOXES)}
    if sought.camera is not None and sought.camera[0] is not None:
        names = {"/".join(sought.camera)}
    expected = [
        each.id
        for each in wanted
        if (names is None or each.camera in names)
        and (sought.kind is None or each.kind == sought.kind)
        and (sought.since_ms is None or sought.since_ms <= each.start_ms < sought.until_ms)
    ]
    assert ids == (expected[::-1] if newest_first else expected)


def test_a_rare_zone_ends_a_page_early_and_is_found_in_the_end(database):
    with database.read() as connection:
        first = find_episodes(connection, Sought(zone="giếng"), None, 40)
    assert (first.episodes, first.is_cut) == ([], True)
    ids, cut = walk(database, Sought(zone="giếng"))
    assert ids == ["00000000"]
    assert cut == BOXES * PER_BOX // SCANS[-1]
    assert walk(database, Sought(zone="giếng", reach=Reach((Spot("Xã A"), Spot("Xã B")))))[0] == ids


@sqlite_only
@pytest.mark.parametrize(
    ("sought", "index"),
    [
        (Sought(), "ix_episodes_start_ms_id"),
        (Sought(zone="giếng"), "ix_episodes_start_ms_id"),
        (Sought(kind="motion"), "ix_episodes_start_ms_id"),
        (Sought(kind="tamper:black"), "ix_episodes_kind_start_ms_id"),
        (Sought(outcome="false"), "ix_episodes_outcome_start_ms_id"),
        (Sought(outcome="false", kind="motion", reach=Reach((Spot("Xã A"),))), "ix_episodes_outcome_start_ms_id"),
        (Sought(camera=("box-07", "cong"), kind="motion", outcome="false"), "ix_episodes_camera_start_ms_id"),
        (Sought(reach=Reach((Spot("Xã A"),))), "ix_episodes_camera_start_ms_id"),
        (Sought(reach=Reach((Spot("Xã B"),))), "ix_episodes_start_ms_id"),
    ],
)
def test_every_search_goes_along_the_index_that_was_meant_and_sorts_nothing_large(database, sought, index):
    asked = []
    with database.read() as connection:
        event.listen(
            connection, "before_cursor_execute", lambda _c, _u, sql, values, _x, _m: asked.append((sql, values))
        )
        find_episodes(connection, sought, (1_005_000, "x"), 40)
        plans = [
            line.detail
            for sql, values in [*asked]
            if "FROM episodes" in sql
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    touching = [line for line in plans if " episodes " in f"{line} " and "USING" in line]
    assert touching
    assert all(f"{index} (" in line and "start_ms" in line for line in touching), touching
    if sought.reach == EVERYWHERE:
        assert not [line for line in plans if "TEMP B-TREE" in line], plans
