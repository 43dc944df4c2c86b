"""A household's line between two network namespaces: rate, a router's deep queue and delay, packet by packet.

`python -m benchmarks.outage.line NAME --kbps 2000 --delay-ms 40 --queue-ms 300` makes the namespaces NAME-box
(10.77.0.1) and NAME-server (10.77.0.2), prints one JSON line a second, and removes all of it when ended.

Rules: it stands in the middle as a router would, so the sender's kernel does not know of the queue; what finds the
queue full is dropped; nothing is reordered. In user space, because not every kernel has netem.
"""

import argparse
import fcntl
import json
import os
import selectors
import signal
import struct
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

BOX_ADDRESS, SERVER_ADDRESS = "10.77.0.1", "10.77.0.2"
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_OVERHEAD_BYTES = 18
"""Ethernet's frame around each packet counts on the line too."""
_DELIVERABLE = 256
CONGESTION_CONTROL = "cubic"
"""What Raspberry Pi OS and Debian use: it fills a router's queue, where BBR would not."""


@dataclass
class Direction:
    """One way: packets leave the queue at the line's rate, and arrive `delay_s` later."""

    source: int
    sink: int
    bytes_per_s: float
    delay_s: float
    queue_s: float
    free_at: float = 0.0
    moving: deque[tuple[float, bytes]] = field(default_factory=deque)
    carried_bytes: int = 0
    dropped: int = 0
    longest_queue_s: float = 0.0

    def take(self, now: float) -> None:
        """Read what came, queue or drop it."""
        for _ in range(_DELIVERABLE):
            try:
                packet = os.read(self.source, 2048)
            except BlockingIOError:
                return
            waits_s = max(0.0, self.free_at - now)
            if waits_s > self.queue_s:
                self.dropped += 1
                continue
            self.longest_queue_s = max(self.longest_queue_s, waits_s)
            self.free_at = now + waits_s + (len(packet) + _OVERHEAD_BYTES) / self.bytes_per_s
            self.moving.append((self.free_at + self.delay_s, packet))
            self.carried_bytes += len(packet) + _OVERHEAD_BYTES

    def give(self, now: float) -> None:
        """Hand over what has arrived."""
        while self.moving and self.moving[0][0] <= now:
            _, packet = self.moving.popleft()
            try:
                os.write(self.sink, packet)
            except OSError:
                self.dropped += 1

    def figures(self) -> dict[str, float]:
        """Since the last call for the queue, since the beginning for the rest."""
        longest, self.longest_queue_s = self.longest_queue_s, 0.0
        return {
            "bytes": self.carried_bytes,
            "dropped": self.dropped,
            "queue_ms": round(max(0.0, self.free_at - time.monotonic()) * 1000),
            "longest_queue_ms": round(longest * 1000),
        }


def carry(box: int, server: int, bytes_per_s: float, delay_s: float, queue_s: float) -> None:
    """Carry packets between the two devices until SIGTERM; one JSON line a second."""
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: ended.append(number))
    up = Direction(box, server, bytes_per_s, delay_s, queue_s)
    down = Direction(server, box, bytes_per_s, delay_s, queue_s)
    told_at = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(box, selectors.EVENT_READ)
        selector.register(server, selectors.EVENT_READ)
        while not ended:
            due = min((way.moving[0][0] for way in (up, down) if way.moving), default=time.monotonic() + 0.2)
            selector.select(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            for way in (up, down):
                way.take(now)
                way.give(now)
            if now - told_at >= 1.0:
                told_at = now
                print(json.dumps({"up": up.figures(), "down": down.figures()}), flush=True)


def make(name: str) -> tuple[int, int]:
    """Namespaces and devices; the descriptors of the box's and the server's device."""
    found = []
    for side, address in (("box", BOX_ADDRESS), ("server", SERVER_ADDRESS)):
        space, device = f"{name}-{side}", f"vg{os.getpid()}{side[0]}"
        run("ip", "netns", "add", space)
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", device.encode(), _IFF_TUN | _IFF_NO_PI))
        run("ip", "link", "set", device, "netns", space)
        run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", space, "address", "add", f"{address}/24", "dev", device)
        run("ip", "-n", space, "link", "set", device, "up", "mtu", "1500")
        route = ["route", "change", "10.77.0.0/24", "dev", device, "src", address, "congctl", CONGESTION_CONTROL]
        run("ip", "-n", space, *route)
        found.append(descriptor)
    return found[0], found[1]


def unmake(name: str) -> None:
    """Remove the namespaces; the devices go with their descriptors."""
    for side in ("box", "server"):
        subprocess.run(["ip", "netns", "delete", f"{name}-{side}"], check=False, capture_output=True)


def run(*command: str) -> None:
    """A command that must succeed."""
    subprocess.run(command, check=True, capture_output=True)


def missing() -> str:
    """Why no line can be made here; empty when it can."""
    if os.geteuid() != 0:
        return "network namespaces need root: run this as root"
    if not Path("/dev/net/tun").exists():
        return "this kernel has no /dev/net/tun: modprobe tun"
    return ""


def main() -> None:
    """Make, carry, remove."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage.line", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--kbps", type=float, default=2000.0)
    parser.add_argument("--delay-ms", type=float, default=40.0, help="one way")
    parser.add_argument("--queue-ms", type=float, default=300.0)
    given = parser.parse_args()
    try:
        box, server = make(given.name)
        print("{}", flush=True)
        carry(box, server, given.kbps * 125, given.delay_ms / 1000, given.queue_ms / 1000)
    finally:
        unmake(given.name)


if __name__ == "__main__":
    main()
