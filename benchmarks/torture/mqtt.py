"""As much of MQTT's framing as the proxy needs: packets out of a byte stream, and what a PUBLISH carries.

Source: MQTT 3.1.1 (OASIS) 2.2, 3.3; MQTT 5.0 2.2.2, 3.3.
"""

CONNECT, PUBLISH = 1, 3


class Splitter:
    """Cuts one direction of a connection into whole packets; learns the version from CONNECT."""

    def __init__(self) -> None:
        self._rest = b""
        self.version = 4

    def feed(self, data: bytes) -> list[bytes]:
        """Whole packets; what is unfinished waits for more."""
        self._rest += data
        found = []
        while (size := _size(self._rest)) is not None and len(self._rest) >= size:
            packet, self._rest = self._rest[:size], self._rest[size:]
            if packet[0] >> 4 == CONNECT:
                at = _header(packet)
                self.version = packet[at + 2 + int.from_bytes(packet[at : at + 2], "big")]
            found.append(packet)
        return found


def _size(data: bytes) -> int | None:
    length, shift = 0, 0
    for index in range(1, min(5, len(data))):
        length |= (data[index] & 0x7F) << shift
        shift += 7
        if not data[index] & 0x80:
            return index + 1 + length
    return None


def _header(packet: bytes) -> int:
    at = 1
    while packet[at] & 0x80:
        at += 1
    return at + 1


def published(packet: bytes, version: int) -> tuple[str, bytes] | None:
    """Topic and payload of a PUBLISH; None for any other packet."""
    if packet[0] >> 4 != PUBLISH:
        return None
    at = _header(packet)
    length = int.from_bytes(packet[at : at + 2], "big")
    topic = packet[at + 2 : at + 2 + length].decode()
    at += 2 + length + (2 if packet[0] & 0x06 else 0)
    if version >= 5:
        size, shift = 0, 0
        while True:
            byte = packet[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not byte & 0x80:
                break
        at += size
    return topic, packet[at:]


def repeated(packet: bytes) -> bytes:
    """The same publication once more at QoS 0: a copy that the session knows nothing of."""
    at = _header(packet)
    length = int.from_bytes(packet[at : at + 2], "big")
    body = packet[at : at + 2 + length] + packet[at + 2 + length + 2 :] if packet[0] & 0x06 else packet[at:]
    size, encoded = len(body), bytearray()
    while True:
        encoded.append(size & 0x7F | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            return bytes([PUBLISH << 4]) + bytes(encoded) + body
