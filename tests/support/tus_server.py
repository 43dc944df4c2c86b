"""A small tus 1.0 server whose road and temper a test sets: cuts in mid-chunk, odd answers, lost uploads."""

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Upload:
    length: int
    metadata: dict[str, str]
    data: bytearray = field(default_factory=bytearray)


@dataclass
class Answer:
    """An answer in place of the right one. `cut_after` bytes of the body the connection just ends."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None


class TusServer:
    def __init__(self) -> None:
        self.uploads: dict[str, Upload] = {}
        self.stored: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.logins: set[str] = set()
        self.bytes_received = 0
        self.temper: Callable[[str, str], Answer | None] = lambda _method, _path: None
        self.on_stored: Callable[[str], None] = lambda _clip: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/uploads"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def methods(self) -> list[str]:
        return [method for method, _ in self.requests]

    def store(self, upload: Upload) -> None:
        clip = upload.metadata["clip"]
        self.stored[clip] = bytes(upload.data)
        self.on_stored(clip)

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def answer(self, status: int, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def odd(self) -> bool:
                outer.requests.append((self.command, self.path))
                login = self.headers.get("Authorization", "").removeprefix("Basic ")
                outer.logins.add(base64.b64decode(login).decode())
                answer = outer.temper(self.command, self.path)
                if answer is None:
                    return False
                if answer.cut_after is not None:
                    data = self.rfile.read(answer.cut_after)
                    if self.path in outer.uploads:
                        outer.uploads[self.path].data += data
                        outer.bytes_received += len(data)
                    self.close_connection = True
                    self.connection.close()
                    return True
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.answer(answer.status, **answer.headers)
                return True

            def do_POST(self) -> None:
                if self.odd():
                    return
                pairs = (pair.split(" ") for pair in self.headers["Upload-Metadata"].split(","))
                metadata = {key: base64.b64decode(value).decode() for key, value in pairs}
                upload = Upload(int(self.headers["Upload-Length"]), metadata)
                path = f"/uploads/{len(outer.uploads) + 1}"
                if metadata["clip"] in outer.stored:
                    outer.on_stored(metadata["clip"])
                    self.answer(201, Location=path, Upload_Offset=str(upload.length))
                    return
                outer.uploads[path] = upload
                self.answer(201, Location=path)

            def do_HEAD(self) -> None:
                if self.odd():
                    return
                upload = outer.uploads.get(self.path)
                if upload is None:
                    self.answer(404)
                    return
                self.answer(200, Upload_Offset=str(len(upload.data)), Upload_Length=str(upload.length))

            def do_PATCH(self) -> None:
                assert "Transfer-Encoding" not in self.headers, "two lengths in one request"
                assert self.headers["Content-Type"] == "application/offset+octet-stream"
                if self.odd():
                    return
                data = self.rfile.read(int(self.headers["Content-Length"]))
                upload = outer.uploads.get(self.path)
                if upload is None:
                    self.answer(404)
                elif int(self.headers["Upload-Offset"]) != len(upload.data):
                    self.answer(409)
                else:
                    upload.data += data
                    outer.bytes_received += len(data)
                    if len(upload.data) == upload.length:
                        outer.store(upload)
                    self.answer(204, Upload_Offset=str(len(upload.data)))

        return Handler
