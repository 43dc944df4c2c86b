"""A clip plays and seeks in a real browser from a plain <video src> over HTTP ranges."""

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.recording.clip import ClipWriter
from edge_agent.recording.finished import ClipMeta
from tests.support import video

pytestmark = pytest.mark.chromium

_PLAY = """async (name) => {
    const video = document.querySelector('video');
    const event = (kind) => new Promise((done, failed) => {
        const late = setTimeout(() => failed(new Error('no ' + kind)), 8000);
        const told = (word) => () => { clearTimeout(late); done(word); };
        video.addEventListener(kind, told(kind), {once: true});
        video.addEventListener('error', () => { clearTimeout(late); failed(video.error); }, {once: true});
    });
    let waited = event('loadeddata');
    video.src = '/' + name;
    await waited;
    const reached = [];
    for (const share of [0.8, 0.3, 0.95, 0]) {
        waited = event('seeked');
        video.currentTime = video.duration * share;
        await waited;
        reached.push(video.currentTime / video.duration);
    }
    waited = event('ended');
    video.playbackRate = 8;
    await video.play();
    await waited;
    return {duration: video.duration, width: video.videoWidth, reached};
}"""


class _Ranges(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            body, kind = b"<video muted></video>", "text/html"
        else:
            body, kind = path.read_bytes(), "video/mp4"
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = int(asked[2]) if asked and asked[2] else len(body) - 1
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(body[first : last + 1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: _Ranges(*given, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_clip_and_one_that_was_cut_off_play_and_seek_in_chromium(tmp_path: Path, site: str, chromium: Any) -> None:
    info, packets = video.read(
        video.encode(tmp_path / "s.mp4", stamps_ms=range(0, 16_000, 50), gop=100, b_frames=2, size=(320, 240))
    )
    writer = ClipWriter(tmp_path / "clip.mp4", info, ClipMeta("b", "c", "e", "c", 0))
    for packet in packets:
        writer.write(packet)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "clip.mp4.part").read_bytes())
    writer.finish()
    page = chromium.new_page()
    page.goto(site)
    whole, cut = (page.evaluate(_PLAY, name) for name in ("clip.mp4", "cut.mp4"))
    page.close()
    assert whole["duration"] == pytest.approx(16.0, abs=0.1)
    assert cut["duration"] > 14.0
    assert whole["reached"][:3] == pytest.approx([0.8, 0.3, 0.95], abs=0.01)
    assert (whole["width"], cut["width"]) == (320, 320)
