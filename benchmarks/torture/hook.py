"""Where alerts arrive: a small HTTP server that keeps what it was sent, in place of an officer's telephone."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook:
    """`got` holds what `names` found in each alert (its incident), in order of arrival, repetitions too."""

    def __init__(self, port: int, names: str = r"/incidents/([0-9a-f-]{36})") -> None:
        self.got: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                found = re.search(names, body)
                hook.got.append(found[1] if found else "")
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
