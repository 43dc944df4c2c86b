"""How each kind of fault is done to the world, and undone."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.torture.link import Road
from benchmarks.torture.plan import Fault
from benchmarks.torture.programs import Box, World, boottime_s

_SWALLOWED = 3


def commit(world: World, fault: Fault) -> Callable[[], None]:
    """Do it; returns what undoes it when its time is over."""
    box = world.boxes[fault.box]
    match fault.kind:
        case "agent killed":
            box.agent.kill()
            return box.agent.start
        case "agent killed at a point":
            box.agent.kill()
            box.agent.start(fault.detail)
            return lambda: None
        case "collector killed":
            world.collector.kill()
            return world.collector.start
        case "collector killed at a point":
            world.collector.kill()
            world.collector.start(fault.detail)
            return lambda: None
        case "broker killed":
            return _kill_broker(world, wipe=False)
        case "broker wiped":
            return _kill_broker(world, wipe=True)
        case "box power cut":
            box.agent.kill()
            box.disk.power_cut()
            return box.agent.start
        case "server power cut":
            world.collector.kill()
            world.server_disk.power_cut()
            return world.collector.start
        case "card torn out":
            return _tear_out(box)
        case "clock stepped":
            return _step_clock(box, fault.detail)
        case "box disk full":
            box.disk.fill()
            return box.disk.empty
        case "server disk full":
            world.server_disk.fill()
            return world.server_disk.empty
        case "packets lost 30 %":
            return _lose_packets(world, box)
        case "link narrowed by tc":
            return _narrow(world, box)
        case _:
            return _on_the_road(box, fault.kind)


def _on_the_road(box: Box, kind: str) -> Callable[[], None]:
    changes: dict[str, dict[str, object]] = {
        "link cut": {"cut": True},
        "link half-open": {"blocked": True},
        "link delayed 2 s": {"delay_s": 2.0},
        "link narrowed": {"bytes_per_s": 12_000.0},
        "events doubled": {"double": 0.7},
        "events reordered": {"swap": 0.5},
    }
    for name, value in changes[kind].items():
        setattr(box.road, name, value)
    if kind == "link cut":
        box.mqtt.break_all()
        box.http.break_all()

    def mend() -> None:
        plain = Road()
        for name in changes[kind]:
            setattr(box.road, name, getattr(plain, name))
        if kind == "link half-open":  # routers forget such connections in the end
            box.mqtt.break_all()
            box.http.break_all()

    return mend


def _kill_broker(world: World, wipe: bool) -> Callable[[], None]:
    if world.mosquitto is not None:
        broker = world.mosquitto
        broker.kill()
        if wipe:
            broker.wipe()
            (broker.folder / "state").mkdir()
        return broker.start
    if wipe:
        world.collector.kill()
        subprocess.run(["rm", "-rf", str(world.server_disk.folder / "data" / "broker" / "store")], check=True)
        return world.collector.start
    for pid in _children(world, "nats-server"):
        subprocess.run(["kill", "-9", str(pid)], check=False)
    return lambda: None


def _children(world: World, name: str) -> list[int]:
    if not world.collector.alive:
        return []
    found = subprocess.run(
        ["pgrep", "-P", str(world.collector.pid), name], capture_output=True, text=True, check=False
    ).stdout
    return [int(pid) for pid in found.split()]


def _tear_out(box: Box) -> Callable[[], None]:
    """A new card while a few events are on the old one alone, and later ones have arrived: a hole that cannot close."""
    with box.tap.lock:
        newest = max((heard.seq for heard in box.tap.events.values() if heard.outbox == _card(box)), default=0)
    box.road.swallow = set(range(newest + 1, newest + 1 + _SWALLOWED))

    def finish() -> None:
        box.agent.kill()
        box.road.swallow = set()
        box.disk.wipe()
        box.cards.append(boottime_s())
        box.agent.start()

    return finish


def _card(box: Box) -> str:
    events = list(box.tap.events.values())
    return events[-1].outbox if events else ""


def _step_clock(box: Box, step: str) -> Callable[[], None]:
    if box.clock_file is None:
        return lambda: None
    box.clock_file.write_text(step)
    return lambda: None  # it stays wrong until the next step


@contextlib.contextmanager
def rules_of_the_kernel(root: bool) -> Iterator[None]:
    """The empty tables that lost packets and narrow links are put into; the namespace is ours alone."""
    if root:
        _run("nft", "add table inet torture")
        _run("nft", "add chain inet torture input { type filter hook input priority 0 ; }")
        _run("tc", "qdisc add dev lo root handle 1: prio bands 4 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0")
        _run("tc", "qdisc add dev lo parent 1:4 handle 40: tbf rate 400kbit burst 4kb latency 500ms")
    yield


def _lose_packets(world: World, box: Box) -> Callable[[], None]:
    ports = f"{{ {box.mqtt.port}, {box.http.port} }}"
    for direction in ("dport", "sport"):
        _run("nft", f"add rule inet torture input tcp {direction} {ports} numgen random mod 100 < 30 drop")
    return lambda: _run("nft", "flush chain inet torture input")


def _narrow(world: World, box: Box) -> Callable[[], None]:
    for port in (box.mqtt.port, box.http.port):
        for end in ("dport", "sport"):
            _run("tc", f"filter add dev lo parent 1: protocol ip prio 5 u32 match ip {end} {port} 0xffff flowid 1:4")
    return lambda: _run("tc", "filter del dev lo parent 1: prio 5")


def _run(command: str, arguments: str) -> None:
    # Two faults of one kind may overlap: what is there already, or gone already, is as it should be.
    subprocess.run([command, *arguments.split()], capture_output=True, check=False)


def run_round(world: World, faults: list[Fault], round_s: float) -> list[Fault]:
    """Do the faults of a round at their times, undo each at its own; returns those that were done."""
    began = time.monotonic()
    undo: list[tuple[float, Callable[[], None]]] = []
    todo, done = list(faults), []
    while todo or undo:
        now_s = time.monotonic() - began
        for item in [item for item in undo if item[0] <= now_s]:
            undo.remove(item)
            item[1]()
        if todo and todo[0].at_s <= now_s:
            fault = todo.pop(0)
            undo.append((max(now_s, fault.at_s + fault.lasts_s), commit(world, fault)))
            done.append(replace(fault, at_s=round(now_s, 2)))
        time.sleep(0.05)
    time.sleep(max(0.0, round_s - (time.monotonic() - began)))
    return done


def heal(world: World) -> None:
    """Everything as it should be: no fault, every program alive and unarmed."""
    for box in world.boxes:
        vars(box.road).update(vars(Road()))
        box.mqtt.break_all()
        box.http.break_all()
        box.disk.empty()
    world.server_disk.empty()
    for one in (world.collector, *(box.agent for box in world.boxes)):
        if one.armed and one.alive:
            one.kill()
        if not one.alive:
            one.start()
    world.wait_for_collector()
