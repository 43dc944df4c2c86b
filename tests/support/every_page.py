"""What a whole shift leaves empty: a map, rules, mutes, outages, maintenance, visits, commands, releases."""

from dataclasses import replace

from sqlalchemy import Connection

from collector.alerts.rules import Hours, Rule
from collector.alerts.stored_rules import as_json
from collector.store import commands, fleet, maps, mutes, releases, rules, upkeep
from tests.support.duty import Duty, a_heartbeat, a_picture
from vonggac.wire.messages import Reply, UpdateHealth

COMMUNE, BOX, CAMERA = "Xã Hòa Bình", "truong-tieu-hoc", "truong-tieu-hoc/nha-xe"
HOUR_MS = 3_600_000


def fill_every_page(duty: Duty) -> str:
    """Something in each list, in every state that people read about; an episode that nobody was told of."""
    now = duty.now_ms
    _map_and_rules(duty)
    with duty.database.write() as connection:
        for ends_ms, lifted_by in ((now + 20 * HOUR_MS, None), (now - HOUR_MS, "minh")):
            mute = mutes.MuteRow(
                id=duty.new_id(), camera=CAMERA, zone="sân trước", from_minute=1260, to_minute=300,
                start_ms=now - 3 * HOUR_MS, until_ms=ends_ms, who="lan", reason=None, incident=None,
                lifted_ms=lifted_by and ends_ms, lifted_by=lifted_by,
            )  # fmt: skip
            mutes.add_mute(connection, mute)
            window = upkeep.Window(
                id=duty.new_id(), kind="box", ref=BOX, start_ms=now - 2 * HOUR_MS, until_ms=ends_ms, who="son",
                note="thay thẻ nhớ", lifted_by=lifted_by,
            )  # fmt: skip
            upkeep.add_window(connection, window)
        upkeep.add_note(
            connection,
            upkeep.VisitNote(id=duty.new_id(), box=BOX, wall_ms=now - HOUR_MS, who="son", text="lau ống kính"),
        )
    _outages(duty)
    _commands(duty)
    _updates(duty)
    untold = duty.started(BOX, "hanh-lang", now - 9 * HOUR_MS, picture=a_picture(31))
    duty.ended(BOX, "hanh-lang", untold, now - 9 * HOUR_MS, now - 9 * HOUR_MS + 8_000)
    return untold


def _map_and_rules(duty: Duty) -> None:
    from tests.integration.web.test_map import a_plan

    body = a_plan()
    plan = maps.Plan(
        commune=COMMUNE, sha256="a" * 64, kind="png", width=640, height=400, uploaded_ms=duty.now_ms, who="thu"
    )  # fmt: skip
    night = Rule(name="", cameras=("nga-ba-cho/*",), hours=(Hours(1260, 300),), min_size=0.03, severity="high")
    rule = rules.RuleRow(id=duty.new_id(), name="chợ", body=as_json(night), changed_ms=duty.now_ms, who="thu")
    with duty.database.write() as connection:
        maps.keep_plan(connection, plan, body)
        for number, camera in enumerate(("nha-van-hoa-01/cong", CAMERA, "nga-ba-cho/duong-lon")):
            maps.place_pin(connection, maps.Pin(camera, 0.2 + 0.3 * number, 0.4), "thu", duty.now_ms)
        rules.keep_rule(connection, rule)


def _outages(duty: Duty) -> None:
    now = duty.now_ms
    whole = _outage(
        duty, "commune", COMMUNE, now - 9 * HOUR_MS, now - 8 * HOUR_MS, members=(BOX, "nga-ba-cho"), hint="power"
    )
    for box, hint in ((BOX, "power"), ("nga-ba-cho", "network")):
        _outage(duty, "box", box, now - 9 * HOUR_MS, now - 8 * HOUR_MS, parent=whole, hint=hint)
    _outage(duty, "box", "nga-ba-cho", now - 460_000, reason="lost", members=("nga-ba-cho/duong-lon",))
    _outage(duty, "camera", CAMERA, now - 1_500_000, state="blind", reason="stream_unavailable")
    _outage(duty, "disk", "/srv/vonggac", now - 30 * HOUR_MS, now - 29 * HOUR_MS, state="degraded", reason="disk_low")


def _outage(duty: Duty, kind: str, ref: str, start_ms: int, end_ms: int | None = None, **more: object) -> str:
    told = {"state": "down", "reason": "lost"} | more
    outage = fleet.Outage(
        id=duty.new_id(), kind=kind, ref=ref, start_ms=start_ms, end_ms=end_ms, told_ms=start_ms,
        **told,  # type: ignore[arg-type]
    )  # fmt: skip
    with duty.database.write() as connection:
        fleet.begin_outage(connection, outage, start_ms)
    return outage.id


def _commands(duty: Duty) -> None:
    now, refused = duty.now_ms, "camera nha-xe gives no picture now (unavailable)"
    with duty.database.write() as connection:
        for command, camera, error in (("ping", None, None), ("snapshot", "nha-xe", refused)):
            name = _command(duty, connection, command, camera)
            commands.mark_sent(connection, name, now - 590_000)
            reply = Reply(to=name, ok=error is None, error=error, code=error and "no_picture")
            commands.record_reply(connection, duty.envelope(BOX, reply), reply, now - 589_000)
        _command(duty, connection, "retry", None)


def _command(duty: Duty, connection: Connection, command: str, camera: str | None) -> str:
    name, sent_ms = duty.new_id(), duty.now_ms - 600_000
    expires_ms = duty.now_ms + HOUR_MS
    commands.add_command(
        connection, name, BOX, command, now_ms=sent_ms, expires_ms=expires_ms, camera=camera, who="son"
    )  # fmt: skip
    return name


def _updates(duty: Duty) -> None:
    with duty.database.write() as connection:
        for version in ("1.0.0", "1.1.0"):
            releases.add_release(connection, version, "{}", "", duty.now_ms)
        releases.offer(connection, "1.1.0", "first")
        releases.set_ring(connection, "nha-van-hoa-01", "first")
    health = UpdateHealth(
        version="1.0.0", step="returned", target="1.1.0", reason="did not prove itself: no picture of san"
    )
    beat = replace(a_heartbeat(("cong", "san")), update=health)
    duty.heartbeat("nha-van-hoa-01", beat, duty.now_ms - 9_000)
