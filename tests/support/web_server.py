"""The real web on a real uvicorn, on a free loopback port, in a thread of the test.

    python -m tests.support.web_server FOLDER DATABASE_URL

the same as a program, which says its address and ends with its standard input.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn

from collector.web.app import build_app
from collector.web.desk import WebSettings
from tests.support.duty import QUICK_PASSWORDS, Duty
from vonggac.daemon.clock import Clock, SystemClock

VIETNAM = WebSettings(zone=ZoneInfo("Asia/Ho_Chi_Minh"))


@contextmanager
def serving(duty: Duty, clock: Clock | None = None, settings: WebSettings = VIETNAM) -> Iterator[str]:
    """The address of the web over this database, `http://127.0.0.1:PORT`; all is over when the block is left."""
    stopping = threading.Event()
    app = build_app(
        duty.database, duty.folder, settings, None, clock or SystemClock(),
        stopping=stopping.is_set, passwords=QUICK_PASSWORDS,
    )  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, name="web")
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert thread.is_alive(), "the web server ended while it started"
            assert time.monotonic() < deadline, "the web server did not start within 10 s"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        stopping.set()
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the web server did not end within 10 s"


def main() -> None:
    folder, url = sys.argv[1:]
    duty = Duty(Path(folder), url=url)
    with serving(duty) as address:
        print(address, flush=True)
        sys.stdin.read()
    duty.database.close()


if __name__ == "__main__":
    main()
