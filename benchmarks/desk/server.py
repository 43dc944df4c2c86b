"""The collector's web over a database: `python -m benchmarks.desk.server URL FOLDER` says its address and serves.

A line "RATE SECONDS BOXES" on its input lets boxes tell in this same process, as `collector serve` does all in one.
"""

import json
import sys
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.desk.boxes import tell
from collector.http import HttpServer
from collector.store.database import open_database
from collector.web.app import build_app
from collector.web.desk import WebSettings
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.program import stop_on_signals
from vonggac.daemon.threads import Crew, Stop


def main(url: str, folder: str) -> None:
    """Serve until told to stop."""
    stop = Stop()
    stop_on_signals(stop)
    settings = WebSettings(zone=ZoneInfo("Asia/Ho_Chi_Minh"))
    app = build_app(open_database(url), Path(folder), settings, None, SystemClock(), stopping=stop.is_set)
    server, crew = HttpServer(("127.0.0.1", 0), stop), Crew(stop)
    crew.start("http", lambda pulse: server.serve(app, pulse))
    sys.stdout.write(f"http://127.0.0.1:{server.address[1]}\n")
    sys.stdout.flush()
    threading.Thread(target=_listen, args=(url, folder), daemon=True).start()
    while not stop.wait(1.0):
        pass


def _listen(url: str, folder: str) -> None:
    for line in sys.stdin:
        rate, seconds, boxes = line.split()
        sys.stdout.write(json.dumps(tell(url, folder, float(rate), float(seconds), int(boxes))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
