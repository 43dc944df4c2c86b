"""A real RTSP server (GStreamer's) that plays a video file to every client from its start: a process of its own.

    /usr/bin/python3 rtsp_server.py FILE.mp4 [--codec h264|h265] [--port 0] [--user U --password P --auth digest|basic]

Prints `port N` once it listens at rtsp://127.0.0.1:N/cam. Runs with Debian's Python and needs DEBIAN_PACKAGES.
"""

import argparse
import socket
import subprocess
import sys
from pathlib import Path

DEBIAN_PACKAGES = (
    "python3-gi",
    "gir1.2-gst-rtsp-server-1.0",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
)
SYSTEM_PYTHON = "/usr/bin/python3"


def missing() -> str:
    """What keeps the server from running here, as a sentence, or ""."""
    probe = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
        "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('qtdemux', 'h264parse', 'h265parse', 'rtph264pay')))"
    )
    try:
        found = subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        found = None
    if found is not None and found.returncode == 0:
        return ""
    return "needs an RTSP server: apt-get install " + " ".join(DEBIAN_PACKAGES)


class RtspServer:
    """The process: `start()` it, `kill()` it as a power cut would, `start()` it again on the same port."""

    def __init__(
        self, file: Path, codec: str = "h264", user: str = "", password: str = "", auth: str = "digest"
    ) -> None:
        self._arguments = [str(file), "--codec", codec, "--auth", auth]
        if user:
            self._arguments += ["--user", user, "--password", password]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def start(self) -> None:
        command = [SYSTEM_PYTHON, __file__, *self._arguments, "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == f"port {self.port}\n", f"the RTSP server did not start: {line!r}"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def __enter__(self) -> "RtspServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def main() -> None:
    """Serve until killed."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

    arguments = argparse.ArgumentParser()
    arguments.add_argument("file")
    arguments.add_argument("--port", default="0")
    arguments.add_argument("--codec", default="h264", choices=["h264", "h265"])
    arguments.add_argument("--user", default="")
    arguments.add_argument("--password", default="")
    arguments.add_argument("--auth", default="digest", choices=["digest", "basic"])
    given = arguments.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(given.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{given.file}" ! qtdemux ! {given.codec}parse ! rtp{given.codec}pay name=pay0 pt=96 '
        "config-interval=-1 )"
    )
    server.get_mount_points().add_factory("/cam", factory)
    if given.user:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        if given.auth == "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(given.user, given.password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(given.user, given.password), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {given.port}")
    print(f"port {server.get_bound_port()}", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
