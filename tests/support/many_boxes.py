"""A process with many light boxes: real outboxes and uplinks, no cameras. To kill it is to cut the power of them all.

python -m tests.support.many_boxes FOLDER BROKER_PORT SECRET BOOT BOX…
"""

import sys
import threading
from pathlib import Path

from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.mqtt import Broker, MqttLink
from edge_agent.uplink.uplink import Uplink, last_will
from vonggac.daemon.clock import ClockState, SystemClock
from vonggac.daemon.threads import Crew, Stop
from vonggac.wire.messages import Birth, BoxHealth, Heartbeat

HEARTBEAT_S = 5.0


class Boot(SystemClock):
    """The clock of a boot of its own, on machines that are set right (this one may not be)."""

    def __init__(self, boot: str) -> None:
        super().__init__()
        self.boot_id = boot

    def state(self) -> ClockState:
        return "synced"


def main() -> None:
    folder, port, secret, boot, *boxes = sys.argv[1:]
    clock, stop = Boot(boot), Stop()
    crew = Crew(stop)
    for box in boxes:
        outbox = Outbox(Path(folder) / box, clock, box)
        link = MqttLink(Broker("127.0.0.1", int(port), box, secret), lambda box=box: last_will(box, clock))  # type: ignore[misc]
        uplink = Uplink(
            outbox, link, clock, box, stop,
            birth=lambda: Birth(agent_version="1", cameras=(), config_hash="0"),
            heartbeat=lambda outbox=outbox: Heartbeat(  # type: ignore[misc]
                interval_s=HEARTBEAT_S, cameras=(), host=BoxHealth(uptime_ms=1), outbox=outbox.stats()
            ),
            handlers={}, heartbeat_s=HEARTBEAT_S,
        )  # fmt: skip
        crew.start(box, uplink.run)
    print("running", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
