"""The session that carries clips: its round trip is known, over TLS too, and TLS is checked as before."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from edge_agent.uplink.round_trip import listen_to
from edge_agent.uplink.tus import UploadServer, open_session

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"here")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(path), "-out", str(tmp_path / "ca.pem")]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("a", encoding="ascii") as file:
        file.write((tmp_path / "ca.pem").read_text(encoding="ascii"))
    return path


@pytest.fixture
def url(certificate: Path) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"https://localhost:{server.server_port}/"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_the_round_trip_is_known_over_tls(url: str, tmp_path: Path) -> None:
    with open_session(UploadServer(url, "box-1", "secret", ca_file=tmp_path / "ca.pem")) as session:
        line = listen_to(session)
        assert line.round_trip() is None
        assert session.get(url, timeout=10).text == "here"
        found = line.round_trip()
        assert found is not None
        assert 0 < found.best_ms <= found.now_ms < 1000


def test_a_certificate_of_another_authority_is_refused(url: str) -> None:
    with open_session(UploadServer(url, "box-1", "secret")) as session:
        listen_to(session)
        with pytest.raises(requests.exceptions.SSLError):
            session.get(url, timeout=10)
