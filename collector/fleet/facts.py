"""From stored rows to the facts that states are derived from. A heartbeat's body is read as it travelled."""

from typing import Any, Literal, cast

from collector.fleet.state import BoxFacts, CameraFacts
from collector.store.fleet import BoxHeard, CameraHeard
from vonggac.wire.messages import Clock

DEFAULT_INTERVAL_S = 30.0


def box_facts(box: BoxHeard, listening_since_ms: int, blind_cameras: int, flaps: int = 0) -> BoxFacts:
    """A box's facts."""
    body: dict[str, Any] = box.heartbeat or {}
    host, outbox = body.get("host", {}), body.get("outbox", {})
    oldest_ms, wall_ms = outbox.get("oldest_ms"), box.heartbeat_wall_ms
    return BoxFacts(
        heartbeat_ms=box.heartbeat_ms,
        interval_s=float(body.get("interval_s", DEFAULT_INTERVAL_S)),
        status=_status(box),
        status_ms=box.status_ms,
        listening_since_ms=listening_since_ms,
        clock=cast("Clock", box.clock or "synced"),
        outbox_parked=outbox.get("parked", 0),
        outbox_oldest_age_ms=None if oldest_ms is None or wall_ms is None else wall_ms - oldest_ms,
        disk_free_share=_share(host.get("disk_free_bytes"), host.get("disk_total_bytes")),
        memory_free_share=_share(host.get("memory_available_bytes"), host.get("memory_total_bytes")),
        temperature_c=host.get("temperature_c"),
        throttled=host.get("throttled"),
        changed_files=host.get("changed_files") or 0,
        blind_cameras=blind_cameras,
        flaps=flaps,
    )


def camera_facts(box: BoxHeard, camera: CameraHeard, flaps: int = 0) -> CameraFacts:
    """A camera's facts: its part of the box's heartbeat, and its events."""
    parts = {part["name"]: part for part in (box.heartbeat or {}).get("cameras", ())}
    part = parts.get(camera.name)
    main, sub = (None, None) if part is None else (part.get("main") or {}, part.get("sub") or {})
    event: Literal["up", "down"] | None = None
    if camera.picture_bad is not None:
        event = "down" if camera.picture_bad else "up"
    return CameraFacts(
        heartbeat_ms=None if part is None else box.heartbeat_ms,
        online_since_ms=box.status_ms if box.connected else None,
        last_frame_age_ms=None if part is None else part.get("last_frame_age_ms"),
        main=None if main is None else main.get("state"),
        sub=None if sub is None else sub.get("state"),
        event=event,
        event_since_ms=camera.picture_since_ms,
        event_received_ms=camera.picture_received_ms,
        tampers=camera.tampers,
        demoted=bool(part and part.get("demoted")),
        flaps=flaps,
    )


def run_began_ms(box: BoxHeard) -> int | None:
    """When the program on the box began its run, by the collector's clock; None when the box does not say."""
    began_mono_ms = (box.heartbeat or {}).get("host", {}).get("run_began_mono_ms")
    if began_mono_ms is None or box.heartbeat_ms is None or box.heartbeat_mono_ms is None:
        return None
    return int(box.heartbeat_ms - (box.heartbeat_mono_ms - began_mono_ms))


def _status(box: BoxHeard) -> Literal["online", "lost", "stopped"] | None:
    if box.connected is None:
        return None
    if box.connected:
        return "online"
    return "stopped" if box.offline_reason == "stopped" else "lost"


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None
