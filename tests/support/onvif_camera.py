"""A camera that speaks ONVIF: answers WS-Discovery probes by multicast on one interface, and SOAP over HTTP.

It checks the WS-Security digest as a camera does, and remembers every request, so that a test can look for a password.
"""

import base64
import hashlib
import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GROUP, PORT = "239.255.255.250", 3702
USER, PASSWORD = "viewer", "mat-khau-may-anh"
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" '
    'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>{head}</s:Header><s:Body>{body}</s:Body>'
    "</s:Envelope>"
)


class OnvifCamera:
    """At `host`; `streams` are (name, URL path, codec, width, height)."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        serial: str = "DS-0042",
        rtsp: str = "rtsp://127.0.0.1:554/main",
        claims: str = "10.9.9.9",
    ) -> None:
        self.host, self.serial, self.rtsp, self.claims = host, serial, rtsp, claims
        self.heard: list[str] = []
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                camera.heard.append(f"{self.headers}{text}")
                status, body = camera.answer(text)
                data = _ENVELOPE.format(head="", body=body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/soap+xml")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.port = self._server.server_address[1]
        self._probes = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._probes.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._probes.bind((GROUP, PORT))
        membership = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(host))
        self._probes.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        self._probes.settimeout(0.1)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._server.serve_forever), threading.Thread(target=self._listen)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join(5)
        self._server.server_close()
        self._probes.close()

    @property
    def service(self) -> str:
        return f"http://{self.host}:{self.port}/onvif/device_service"

    def _listen(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answering:
            answering.bind((self.host, 0))
            while not self._over.is_set():
                try:
                    data, sender = self._probes.recvfrom(65535)
                except TimeoutError:
                    continue
                found = re.search(r"MessageID[^>]*>([^<]+)<", data.decode())
                assert found
                answering.sendto(self._match(found[1]), sender)

    def _match(self, message: str) -> bytes:
        scopes = "onvif://www.onvif.org/name/Cong onvif://www.onvif.org/hardware/DS-2CD"
        body = (
            "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:"
            f"{hashlib.sha256(self.serial.encode()).hexdigest()[:32]}</a:Address></a:EndpointReference>"
            f"<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes>"
            f"<d:XAddrs>{self.service}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>"
        )
        return _ENVELOPE.format(head=f"<a:RelatesTo>{message}</a:RelatesTo>", body=body).encode()

    # --- SOAP ----------------------------------------------------------------------------------------------------

    def answer(self, text: str) -> tuple[int, str]:
        """Status and body."""
        at = f"http://{self.claims}/onvif/"
        if "GetSystemDateAndTime" in text:
            return 200, "<tds:GetSystemDateAndTimeResponse/>"
        if not self._knows(text):
            return 400, (
                "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode>"
                "</s:Code><s:Reason><s:Text>Sender not authorized</s:Text></s:Reason></s:Fault>"
            )
        if "GetServices" in text:
            services = (("device", "device_service"), ("media", "media"))
            entries = "".join(
                f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{name}/wsdl</tds:Namespace>"
                f"<tds:XAddr>{at}{path}</tds:XAddr></tds:Service>"
                for name, path in services
            )
            return 200, f"<tds:GetServicesResponse>{entries}</tds:GetServicesResponse>"
        if "GetDeviceInformation" in text:
            return 200, (
                "<tds:GetDeviceInformationResponse><tds:Manufacturer>Hik</tds:Manufacturer><tds:Model>DS-2CD</tds:Model>"
                f"<tds:FirmwareVersion>5.7</tds:FirmwareVersion><tds:SerialNumber>{self.serial}</tds:SerialNumber>"
                "</tds:GetDeviceInformationResponse>"
            )
        if "GetStreamUri" in text:
            path = "/sub" if "profile_sub" in text else "/main"
            url = self.rtsp.replace("127.0.0.1", self.claims).replace("/main", path)
            media = f"<trt:MediaUri><tt:Uri>{url}</tt:Uri></trt:MediaUri>"
            return 200, f"<trt:GetStreamUriResponse>{media}</trt:GetStreamUriResponse>"
        if "GetProfiles" in text:
            entries = self._profile("main", 2560, 1440, 4096) + self._profile("sub", 640, 360, 512)
            return 200, f"<trt:GetProfilesResponse>{entries}</trt:GetProfilesResponse>"
        return 500, "<s:Fault><s:Reason><s:Text>not here</s:Text></s:Reason></s:Fault>"

    def _profile(self, name: str, width: int, height: int, kbps: int) -> str:
        return (
            f'<trt:Profiles token="profile_{name}"><tt:Name>{name}</tt:Name><tt:VideoEncoderConfiguration token="e">'
            f"<tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height>"
            f"</tt:Resolution><tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit><tt:BitrateLimit>{kbps}"
            "</tt:BitrateLimit></tt:RateControl><tt:H264><tt:GovLength>50</tt:GovLength></tt:H264>"
            "</tt:VideoEncoderConfiguration></trt:Profiles>"
        )

    def _knows(self, text: str) -> bool:
        names = ("Username", "Password", "Nonce", "Created")
        fields = {name: re.search(rf"<[^>]*{name}[^>]*>([^<]+)<", text) for name in names}
        if not all(fields.values()):
            return False
        user, digest, nonce, created = (found[1] for found in fields.values() if found)
        expected = hashlib.sha1(base64.b64decode(nonce) + created.encode() + PASSWORD.encode()).digest()
        return user == USER and digest == base64.b64encode(expected).decode()
