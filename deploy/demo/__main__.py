"""`./demo`: the whole of Vọng Gác on this machine. People read stderr; stdout gets one line of JSON at the end."""

import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
import types
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.desk import Desk, DeskUnavailable, Ear, Json, now_ms, percentile, wall_ms
from deploy.demo.programs import Program, StepFailed
from deploy.demo.stage import ADMINISTRATOR, BOX, Camera, Stage, camera_of, free_port, port_is_free
from deploy.demo.words import LANGUAGES, Words, language_of_this_person

_ROOT = Path(__file__).resolve().parents[2]
_PORT = 8080
_START_WITHIN_S = 40.0
_PICTURES_WITHIN_S = 20.0
_AGENT_ENDS_WITHIN_S = 25.0
_HAND_OVER_WITHIN_S = 10.0
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """`90s`, `2m`, `1h` or plain seconds."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if found is None:
        raise click.BadParameter(f"{text!r}: write 90s, 2m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def _cameras(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[Camera, ...]:
    """NAME=SOURCE, each name once."""
    try:
        cameras = tuple(camera_of(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if len({camera.name for camera in cameras}) < len(cameras):
        raise click.BadParameter("two cameras have the same name: give each its own")
    return cameras


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line."""

    cameras: tuple[Camera, ...]
    for_s: float | None
    port: int | None
    browser: bool
    data: Path | None
    own_broker: bool


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--camera",
    "cameras",
    metavar="NAME=SOURCE",
    callback=_cameras,
    multiple=True,
    help="Show this camera instead of the drawn street; may be given several times. SOURCE is rtsp://…, http://…, "
    "usb:0 or a video file (FILE?loop=1 repeats it).",
)
@click.option(
    "--for", "for_s", metavar="DURATION", callback=_seconds, help="End by itself after this long, such as 90s."
)
@click.option("--port", type=click.IntRange(1, 65535), help="Of the pages. [default: 8080, or a free one]")
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Keep everything in this folder.")
@click.option("--broker", type=click.Choice(["embedded", "mosquitto"]), default="embedded", show_default=True)
@click.option("--lang", type=click.Choice(LANGUAGES), help="[default: by the environment]")
def main(
    cameras: tuple[Camera, ...],
    for_s: float | None,
    port: int | None,
    no_browser: bool,
    data: Path | None,
    broker: str,
    lang: str | None,
) -> None:
    """Everything on one machine: a camera, the agent of a box, the collector with its broker, database and pages.

    Without options the camera is a drawn street. Nothing leaves this machine; without --data nothing stays on it.
    """
    wishes = Wishes(cameras, for_s, port, not no_browser, data, broker == "embedded")
    raise SystemExit(Demo(wishes, Words(lang or language_of_this_person())).run())


class Demo:
    """One run: sets up, watches, ends, counts."""

    def __init__(self, wishes: Wishes, words: Words) -> None:
        self._wishes = wishes
        self._words = words
        self._console = Console(stderr=True, highlight=False)
        self._end = threading.Event()
        self._programs: list[Program] = []
        self._told: set[str] = set()

    def run(self) -> int:
        """The exit code: 0 well, 1 something went wrong, 130 ended before it had begun."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_end)
        with ExitStack() as kept:
            folder = self._wishes.data
            if folder is None:
                folder = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="vonggac-demo-")))
            kept.callback(self._end_programs)
            try:
                return self._run_in(folder.resolve())
            except (StepFailed, DeskUnavailable) as error:
                self._console.print(str(error), style="red", markup=False)
                return 130 if self._end.is_set() else 1

    def _run_in(self, folder: Path) -> int:
        port = self._choose_port()
        folder.mkdir(parents=True, exist_ok=True)
        cameras = list(self._wishes.cameras) or [self._drawn_street()]
        if self._end.is_set():
            return 130
        stage = Stage(folder, port, own_broker=self._wishes.own_broker)
        broker = self._words("embedded") if self._wishes.own_broker else "Mosquitto"
        self._say(self._words("collector", broker=broker))
        password = stage.set_up_collector()
        if not self._wishes.own_broker:
            self._start(stage.mosquitto())
        desk = self._open_desk(stage, password)
        stage.set_up_agent(cameras)
        ear = Ear(desk, self._tell)
        ear.start()
        self._wait(ear.listening.is_set, 10, "the live feed does not open")
        began_ms = now_ms()
        self._say(self._words("agent", box=BOX, cameras=", ".join(camera.name for camera in cameras)))
        agent = stage.agent()
        self._start(agent)
        self._wait_for_pictures(desk, cameras)
        self._show_page(stage.url, password)
        self._watch()
        return self._finish(stage, desk, ear, agent, began_ms)

    # --- setting up --------------------------------------------------------------------------------------------------

    def _choose_port(self) -> int:
        if self._wishes.port is not None:
            if not port_is_free(self._wishes.port):
                raise StepFailed(f"--port {self._wishes.port}: another program listens there. Leave --port out.")
            return self._wishes.port
        if port_is_free(_PORT):
            return _PORT
        port = free_port()
        self._say(self._words("port", port=port))
        return port

    def _open_desk(self, stage: Stage, password: str) -> Desk:
        """Starts the collector and signs in; on another port where somebody took ours since we looked."""
        collector = stage.collector()
        try:
            self._start(collector)
            desk = Desk(stage.url)
            self._wait(desk.is_well, _START_WITHIN_S, "the collector does not answer")
            desk.sign_in(ADMINISTRATOR, password)
        except (StepFailed, DeskUnavailable):
            collector.end(15.0)
            if self._end.is_set() or self._wishes.port is not None or port_is_free(stage.port):
                raise
            self._programs.remove(collector)
            stage.port = free_port()
            self._say(self._words("port", port=stage.port))
            stage.set_up_collector()
            return self._open_desk(stage, password)
        return desk

    def _drawn_street(self) -> Camera:
        from deploy.demo.scene import prepare_scene  # noqa: PLC0415 - OpenCV and PyAV load slowly; real cameras need neither

        cache = _ROOT / ".demo-cache"
        if self._wishes.data is not None and not os.access(_ROOT, os.W_OK):
            cache = self._wishes.data / "scene"
        text = self._words("rendering")
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            task = bar.add_task(text, total=None, visible=False)

            def progress(done: int, whole: int) -> None:
                if self._end.is_set():
                    raise StepFailed("")
                if not bar.tasks[0].completed and not self._console.is_terminal:
                    self._say(text)
                bar.update(task, completed=done, total=whole, visible=True)

            scene = prepare_scene(cache, progress)
        return Camera("street", f"{scene.main}?loop=1", f"{scene.sub}?loop=1")

    def _start(self, program: Program) -> None:
        self._programs.append(program)
        program.start()

    def _wait(self, condition: Callable[[], bool], within_s: float, otherwise: str) -> None:
        until = time.monotonic() + within_s
        while not condition():
            self._look_after_programs()
            if self._end.wait(0.1):
                raise StepFailed("")
            if time.monotonic() > until:
                raise StepFailed(f"{otherwise} within {within_s:.0f} s.\n{self._programs[-1].last_words()}")

    def _wait_for_pictures(self, desk: Desk, cameras: list[Camera]) -> None:
        self._say(self._words("waiting"))
        wanted = {camera.name for camera in cameras}
        seen: set[str] = set()

        def all_seen() -> bool:
            seen.update(camera["name"] for camera in desk.cameras() if camera["last_frame"])
            return wanted <= seen

        until = time.monotonic() + _PICTURES_WITHIN_S
        while not all_seen() and time.monotonic() < until and not self._end.wait(0.3):
            self._look_after_programs()
        if wanted - seen and not self._end.is_set():
            self._say(self._words("blind", cameras=", ".join(sorted(wanted - seen))))

    def _show_page(self, url: str, password: str) -> None:
        self._console.print()
        self._console.print(f"  {self._words('page')}:  {url}", style="bold", markup=False)
        login = f"  {self._words('login')}:  {ADMINISTRATOR}   {self._words('password')}:  {password}"
        self._console.print(login, style="bold", markup=False)
        self._console.print(f"  {self._words('stop')}\n", markup=False)
        if self._wishes.browser and _has_a_browser():
            # Some browsers are started in the foreground and return only when they are closed.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    # --- watching ----------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        until = None if self._wishes.for_s is None else time.monotonic() + self._wishes.for_s
        while until is None or time.monotonic() < until:
            self._look_after_programs()
            left_s = 0.2 if until is None else min(0.2, max(0.0, until - time.monotonic()))
            if self._end.wait(left_s):
                return

    def _look_after_programs(self) -> None:
        for program in self._programs:
            program.start_again()
            if program.died():
                said = self._words("died", name=program.name, code=program.exit_code)
                raise StepFailed(f"{said}\n{program.last_words()}")

    def _tell(self, name: str, data: Json, arrived_ms: int) -> None:
        """One line for each thing that happened, in the order of the live feed."""
        if name == "episode" and data["end"] is None and data["id"] not in self._told:
            self._told.add(data["id"])
            self._say(
                self._words("motion", camera=_short(data["camera"]), ms=arrived_ms - wall_ms(data["start"])), at=True
            )
        elif name == "clip" and data["state"] == "stored" and data["id"] not in self._told:
            self._told.add(data["id"])
            seconds = (data["duration_ms"] or 0) / 1000
            self._say(self._words("clip", camera=_short(data["camera"] or data["box"]), seconds=seconds), at=True)
        elif name == "alert" and data["state"] == "sent" and data["id"] not in self._told:
            self._told.add(data["id"])
            self._say(self._words("alert", channel=data["channel"]), at=True)

    # --- ending ------------------------------------------------------------------------------------------------------

    def _finish(self, stage: Stage, desk: Desk, ear: Ear, agent: Program, began_ms: int) -> int:
        self._say(self._words("ending"))
        agent.end(_AGENT_ENDS_WITHIN_S)
        until = time.monotonic() + _HAND_OVER_WITHIN_S
        while (owed := _still_owed(episodes := desk.episodes(began_ms))) and time.monotonic() < until:
            time.sleep(0.2)
        ear.end()
        boxes, cameras = desk.boxes(), desk.cameras()
        self._end_programs()
        complaints = [line for program in self._programs for line in program.complaints()]
        complaints += [f"episode {name} has no end or no clip" for name in owed]
        figures = list(ear.heard.motion_to_alert_ms.values())
        result = {
            "boxes": len(boxes),
            "cameras": len(cameras),
            "episodes": len(episodes),
            "clips": sum(clip["state"] == "stored" for episode in episodes for clip in episode["clips"]),
            "alerts": len(ear.heard.alerts_sent),
            "motion_to_alert_ms": {"p50": percentile(figures, 0.5), "p95": percentile(figures, 0.95)},
            "errors": len(complaints),
        }
        if complaints:
            self._console.print(self._words("complaints"), style="red")
            for line in complaints[:10]:
                self._console.print(f"  {line[:400]}", markup=False)
        if self._wishes.data is not None:
            self._say(self._words("kept", folder=stage.folder))
        print(json.dumps(result), flush=True)
        return 1 if complaints else 0

    def _end_programs(self) -> None:
        """In the opposite order of their start: the agent first, so that it can hand over what it has."""
        for program in reversed(self._programs):
            program.end(_AGENT_ENDS_WITHIN_S if program.name == "edge-agent" else 15.0)

    def _ask_to_end(self, number: int, _frame: types.FrameType | None) -> None:
        if self._end.is_set():  # a second time: at once
            raise SystemExit(128 + number)
        self._end.set()

    def _say(self, text: str, *, at: bool = False) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')}  {text}" if at else text, markup=False, soft_wrap=True)


def _still_owed(episodes: list[Json]) -> list[str]:
    """Episodes without an end, or without a clip that has arrived whole."""
    return [
        str(episode["id"])
        for episode in episodes
        if episode["end"] is None or not any(clip["state"] == "stored" for clip in episode["clips"])
    ]


def _short(camera: str) -> str:
    return camera.rpartition("/")[2]


def _has_a_browser() -> bool:
    if os.name == "posix" and sys.platform != "darwin":
        if os.geteuid() == 0 or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


if __name__ == "__main__":
    main(prog_name="./demo")
