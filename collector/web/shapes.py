"""Rows as JSON: the words of the API. Times are RFC 3339 UTC, durations and sizes carry their unit by name. Pure."""

from dataclasses import asdict
from typing import Any

from collector.fleet.completeness import Where
from collector.fleet.report import BoxReport
from collector.store.clips import Clip
from collector.store.desk import Episode, Incident, zones_of
from collector.store.overview import BoxView, CameraView
from collector.web.query import rfc3339

Json = dict[str, Any]


def clip_url(clip: Clip) -> str | None:
    """Where the clip's bytes are; None until they are here and after they were deleted."""
    return f"/api/v1/clips/{clip.id}" if clip.state == "stored" and clip.path is not None else None


def snapshot_url(episode: Episode) -> str | None:
    """Where the episode's best picture is; None until one has arrived."""
    return None if episode.snapshot is None else f"/api/v1/snapshots/{episode.snapshot}"


def clip_json(clip: Clip) -> Json:
    """A clip: `state` is announced, stored, deleted, lost or left_behind (on a card no longer in the box)."""
    return {
        "id": clip.id,
        "url": clip_url(clip),
        "state": clip.state,
        "episode": clip.episode,
        "box": clip.box,
        "camera": clip.camera,
        "first_frame": rfc3339(clip.first_frame_ms),
        "dated": clip.dated,
        "box_first_frame": rfc3339(clip.box_first_frame_ms),
        "duration_ms": clip.duration_ms,
        "codec": clip.codec,
        "width": clip.width,
        "height": clip.height,
        "size_bytes": clip.size_bytes,
        "sha256": clip.sha256,
        "truncated": clip.truncated,
        "note": clip.note,
        "stored": rfc3339(clip.stored_ms),
    }


def episode_json(episode: Episode) -> Json:
    """An episode; `end` is null while it goes on, `rectangle` is [x0, y0, x1, y1] in 0..1."""
    return {
        "id": episode.id,
        "box": episode.box,
        "camera": episode.camera,
        "start": rfc3339(episode.start_ms),
        "last": rfc3339(episode.last_ms),
        "end": rfc3339(episode.end_ms),
        "zones": list(episode.zones),
        "rectangle": list(episode.rectangle),
        "score": episode.score,
        "kind": episode.kind,
        "reason": episode.reason,
        "clock": episode.clock,
        "dated": episode.dated,
        "earliest": rfc3339(episode.earliest_ms),
        "latest": rfc3339(episode.latest_ms),
        "box_start": rfc3339(episode.box_start_ms),
        "box_last": rfc3339(episode.box_last_ms),
        "late_ms": episode.late_ms,
        "received": rfc3339(episode.first_received_ms),
        "snapshot": snapshot_url(episode),
        "clips": [clip_json(clip) for clip in episode.clips],
        "incident": episode.incident,
    }


def incident_json(incident: Incident) -> Json:
    """An incident with its episodes, earliest first."""
    return {
        "id": incident.id,
        "rule": incident.rule,
        "severity": incident.severity,
        "site": incident.site,
        "box": incident.box,
        "camera": incident.camera,
        "start": rfc3339(incident.start_ms),
        "last": rfc3339(incident.last_ms),
        "created": rfc3339(incident.created_ms),
        "state": incident.state,
        "acknowledged": rfc3339(incident.acknowledged_ms),
        "owner": incident.owner,
        "outcome": incident.outcome,
        "closed": rfc3339(incident.closed_ms),
        "late_ms": incident.late_ms,
        "zones": list(zones_of(incident.episodes)),
        "episodes": [episode_json(episode) for episode in incident.episodes],
    }


def alert_json(alert: Json) -> Json:
    """One notification to one channel; `state` is due, claimed, sent or failed."""
    return {
        "id": alert["id"],
        "kind": alert["kind"],
        "incident": alert["incident"],
        "channel": alert["channel"],
        "title": alert["title"],
        "state": alert["state"],
        "created": rfc3339(alert["created_ms"]),
        "sent": rfc3339(alert["sent_ms"]),
        "late_ms": alert["late_ms"],
    }


def camera_json(camera: CameraView) -> Json:
    """A camera: `health` is its part of the last heartbeat as the box sent it, `last_frame` its last decoded frame."""
    return {
        "id": camera.id,
        "name": camera.name,
        "box": camera.box,
        "has_sub": camera.has_sub,
        "state": camera.standing.state,
        "since": rfc3339(camera.standing.since_ms),
        "reasons": list(camera.standing.reasons),
        "last_frame": rfc3339(camera.last_frame_ms),
        "health": None if camera.health is None else asdict(camera.health),
    }


def box_json(box: BoxView) -> Json:
    """A box: `heartbeat` is the last one as it was sent, `heartbeat_received` when."""
    return {
        "id": box.id,
        "site": box.site,
        "commune": box.commune,
        "state": box.standing.state,
        "since": rfc3339(box.standing.since_ms),
        "reasons": list(box.standing.reasons),
        "connected": box.connected,
        "boot_id": box.boot_id,
        "agent_version": box.agent_version,
        "clock": box.clock,
        "heartbeat_received": rfc3339(box.heartbeat_ms),
        "heartbeat": None if box.heartbeat is None else asdict(box.heartbeat),
        "cameras": [camera_json(camera) for camera in box.cameras],
    }


def report_json(report: BoxReport) -> Json:
    """What is missing of a box; of the hours only those in which something is."""
    known = report.completeness
    return {
        "box": report.id,
        "heard": rfc3339(report.heard_ms),
        "events": {where.value: known.events(where) for where in Where},
        "clips": {where.value: known.clips.get(where, 0) for where in Where},
        "missing": [
            {"outbox": each.outbox, "first": each.first_seq, "last": each.last_seq, "where": each.where.value}
            for each in known.missing
        ],
        "silences": [{**_span(each.from_ms, each.until_ms), "kind": each.kind} for each in report.silences],
        "cameras": [
            {
                "id": camera.id,
                "gaps": [
                    {
                        **_span(gap.from_ms, gap.until_ms),
                        "kind": gap.kind,
                        "reason": gap.reason,
                        "code": gap.code,
                    }
                    for gap in camera.gaps
                ],
                "hours": [
                    {"hour": rfc3339(hour), "missing_s": round(missing_ms / 1000, 1)}
                    for hour, missing_ms in camera.hours
                    if missing_ms
                ],
            }
            for camera in report.cameras
        ],
    }


def _span(from_ms: int, until_ms: int) -> Json:
    return {"from": rfc3339(from_ms), "until": rfc3339(until_ms)}
