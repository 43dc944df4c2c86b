"""/metrics: figures for Prometheus, read from the database at the moment of asking. What is unknown is left out."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from collector.store import figures
from collector.store.overview import BoxView, list_boxes
from collector.store.reach import EVERYWHERE
from collector.web.access import refuse
from collector.web.api import query_of
from collector.web.desk import Asked, Desk

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(desk: Desk, asked: Asked) -> Response:
    """The whole exposition."""
    query_of(asked)
    if asked.who.reach != EVERYWHERE:  # the figures are of the whole collector
        refuse(desk, asked, "see_metrics")
    with desk.database.read() as connection:
        boxes = list_boxes(connection)
        totals = figures.read_figures(connection)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Moment(boxes, totals, asked.now_ms))
    return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE})


class _Moment(Collector):
    def __init__(self, boxes: Sequence[BoxView], totals: figures.Figures, now_ms: int) -> None:
        self._boxes = boxes
        self._totals = totals
        self._now_ms = now_ms

    def collect(self) -> Iterator[Metric]:
        yield from self._counts()
        yield from self._per_box()
        yield from self._per_camera()

    def _counts(self) -> Iterator[Metric]:
        totals = self._totals
        incidents = GaugeMetricFamily("vonggac_incidents", "Incidents by state", labels=["state"])
        for state, count in totals.incidents.items():
            incidents.add_metric([state], count)
        yield incidents
        alerts = GaugeMetricFamily("vonggac_alerts", "Alerts by state of their delivery", labels=["state"])
        for state, count in totals.alerts.items():
            alerts.add_metric([state], count)
        yield alerts
        clips = GaugeMetricFamily("vonggac_clips", "Clips by state", labels=["state"])
        stored = GaugeMetricFamily("vonggac_clip_bytes", "Bytes of clips by state", labels=["state"])
        for state, (count, size) in totals.clips.items():
            clips.add_metric([state], count)
            stored.add_metric([state], size)
        yield clips
        yield stored
        counted = CounterMetricFamily("vonggac_counted", "What the collector counts, by name", labels=["name"])
        for name, value in totals.counters.items():
            counted.add_metric([name], value)
        yield counted
        boxes = GaugeMetricFamily("vonggac_boxes", "Boxes by state", labels=["state"])
        for state, count in sorted(Counter(box.standing.state for box in self._boxes).items()):
            boxes.add_metric([state], count)
        yield boxes

    def _per_box(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("vonggac_box_heartbeat_age_seconds", "Since the last heartbeat", labels=["box"])
        events = GaugeMetricFamily("vonggac_box_outbox_events", "Events on the box, not yet here", labels=["box"])
        clips = GaugeMetricFamily("vonggac_box_outbox_clips", "Clips on the box, not yet here", labels=["box"])
        disk = GaugeMetricFamily("vonggac_box_disk_free_bytes", "Free space on the box's disk", labels=["box"])
        heat = GaugeMetricFamily("vonggac_box_temperature_celsius", "Temperature of the box", labels=["box"])
        for box in self._boxes:
            if box.heartbeat is None or box.heartbeat_ms is None:
                continue
            age.add_metric([box.id], max(0, self._now_ms - box.heartbeat_ms) / 1000)
            events.add_metric([box.id], box.heartbeat.outbox.events)
            clips.add_metric([box.id], box.heartbeat.outbox.clips)
            host = box.heartbeat.host
            if host.disk_free_bytes is not None:
                disk.add_metric([box.id], host.disk_free_bytes)
            if host.temperature_c is not None:
                heat.add_metric([box.id], host.temperature_c)
        yield from (age, events, clips, disk, heat)

    def _per_camera(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("vonggac_camera_frame_age_seconds", "Since the last decoded frame", labels=["camera"])
        fps = GaugeMetricFamily("vonggac_camera_fps", "Frames a second of the main stream", labels=["camera"])
        for box in self._boxes:
            for camera in box.cameras:
                if camera.last_frame_ms is not None:
                    age.add_metric([camera.id], max(0, self._now_ms - camera.last_frame_ms) / 1000)
                if camera.health is not None and camera.health.main.fps is not None:
                    fps.add_metric([camera.id], camera.health.main.fps)
        yield from (age, fps)
