"""Zalo's bot API on this machine, as its documentation has it: it checks what it is sent and answers as told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "1903914807132028399:hunter2-hunter2"


class ZaloBot:
    """`answers`: what the next calls get, (HTTP status, body), then what is right; `taken`: what went."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, object] | str] = []
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.update: object = None
        self.released = threading.Event()
        bot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bot.asked.append(self.path)
                answer = bot.answers.pop(0) if bot.answers else bot.judge(self.path, self.headers, body)
                if isinstance(answer, str):
                    bot.released.wait(20)
                    return
                told = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def judge(self, path: str, headers: Any, raw: bytes) -> tuple[int, object]:
        """As the documentation says of each method."""
        token, _, method = path.removeprefix("/bot").partition("/")
        if token != TOKEN:
            return 200, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        assert headers["Content-Type"] == "application/json"
        body = json.loads(raw)
        if method == "getUpdates":
            return 200, self.update or {"ok": False, "error_code": 408, "description": "Request timeout"}
        words = body.get("text") if method == "sendMessage" else body.get("caption")
        sound = isinstance(body.get("chat_id"), str) and isinstance(words, str) and 1 <= len(words) <= 2000
        if method == "sendPhoto":
            sound = sound and str(body.get("photo")).startswith("https://")
        if not sound or method not in ("sendMessage", "sendPhoto"):
            return 200, {"ok": False, "error_code": 400, "description": "Bad request"}
        self.taken.append((method, body))
        return 200, {"ok": True, "result": {"message_id": "2d758cb5e222177a4e35", "date": 1750316131602}}

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
