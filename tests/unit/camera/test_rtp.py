"""Pictures come out of RTP as they went in, whatever a server makes of them on the way."""

import random

import pytest

from edge_agent.camera.rtp import CodedPicture, Depacketizer, Unfamiliar
from tests.support import rtp

_START = b"\0\0\0\1"
# H.264: parameter sets, a key frame of two slices, other frames of two slices.
_SETS = [b"\x67" + bytes(range(1, 20)), b"\x68\xee\x3c"]
_KEY = [*_SETS, b"\x65\x88" + bytes(300), b"\x65\x18" + bytes(90)]
_NEXT = [b"\x41\x9a" + bytes(range(120)), b"\x41\x19" + bytes(30)]
# H.265: VPS, SPS, PPS, an IDR picture, other pictures.
_KEY_265 = [b"\x40\x01\x0c", b"\x42\x01" + bytes(30), b"\x44\x01\x05", b"\x26\x01\xaf" + bytes(400)]
_NEXT_265 = [b"\x02\x01\xd0" + bytes(range(150))]


def _taken(codec: str, packets: list[bytes]) -> list[CodedPicture]:
    depacketizer = Depacketizer(codec)
    taken = [depacketizer.take(memoryview(packet)) for packet in packets]
    return [picture for picture in taken if picture is not None]


def _joined(units: list[bytes]) -> bytes:
    return b"".join(_START + unit for unit in units)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("codec", "key", "other"), [("h264", _KEY, _NEXT), ("hevc", _KEY_265, _NEXT_265)])
def test_pictures_come_out_as_they_went_in(codec: str, key: list[bytes], other: list[bytes], seed: int) -> None:
    pictures = [key, other, other, key, other]
    stamps = [(1 << 32) - 5000 + 3600 * index for index in range(5)]  # wraps in the middle, as the numbers do
    taken = _taken(codec, list(rtp.packets(codec, pictures, stamps, random.Random(seed))))
    assert [picture.data for picture in taken] == [_joined(units) for units in pictures]
    assert [picture.pts for picture in taken] == [0, 3600, 7200, 10_800, 14_400]
    assert [picture.is_key for picture in taken] == [True, False, False, True, False]


def test_without_markers_the_time_stamp_parts_pictures() -> None:
    units = [(unit, 3600 * index) for index, picture in enumerate([_KEY, _NEXT, _NEXT]) for unit in picture]
    taken = _taken("h264", [rtp.packet(unit, n, stamp, marker=False) for n, (unit, stamp) in enumerate(units)])
    assert [picture.data for picture in taken] == [_joined(_KEY), _joined(_NEXT)], "the last may go on yet"


def test_parameter_sets_with_marker_and_stamp_of_their_own_go_in_front_of_their_picture() -> None:
    sets = [rtp.packet(unit, number, 0, marker=True) for number, unit in enumerate(_SETS)]
    slices = [rtp.packet(unit, 2 + number, 90, marker=number == 1) for number, unit in enumerate(_KEY[2:])]
    taken = _taken("h264", sets + slices)
    assert [(picture.data, picture.is_key) for picture in taken] == [(_joined(_KEY), True)]


def test_a_lost_packet_costs_what_it_carried_and_no_more() -> None:
    large = b"\x65\x88" + bytes(range(200))
    pieces = list(rtp.fragments("h264", large, 50))
    packets = [rtp.packet(piece, n, 0, marker=n == len(pieces) - 1) for n, piece in enumerate(pieces)]
    packets += [rtp.packet(unit, len(pieces) + n, 3600, marker=n == 1) for n, unit in enumerate(_NEXT)]
    del packets[1]
    broken, whole = _taken("h264", packets)
    assert broken.data == _START + large[:51], "up to the hole, nothing from behind it"
    assert whole.data == _joined(_NEXT)


def test_a_clock_that_jumps_back_is_followed() -> None:
    stamps = [900_000, 903_600, 0, 3600]
    packets = [rtp.packet(_NEXT[0], number, stamp, marker=True) for number, stamp in enumerate(stamps)]
    assert [picture.pts for picture in _taken("h264", packets)] == [0, 3600, -900_000, -896_400]


@pytest.mark.parametrize(
    ("what", "payloads", "stamps", "markers"),
    [
        ("pictures from the future", [_NEXT[0]] * 3, [0, 7200, 3600], [True] * 3),
        ("a marker behind each slice", _KEY[2:], [0, 0], [True, True]),
        ("a stream without key frames", [b"\x06\x06\x01\xc4\x80"], [0], [False]),
        ("interleaved packets", [b"\x1d" + bytes(20)], [0], [True]),
    ],
)
def test_what_only_ffmpeg_knows_is_told(
    what: str, payloads: list[bytes], stamps: list[int], markers: list[bool]
) -> None:
    packets = [
        rtp.packet(payload, number, stamps[number], marker=markers[number]) for number, payload in enumerate(payloads)
    ]
    with pytest.raises(Unfamiliar):
        _taken("h264", packets)


def test_garbage_is_no_picture_and_breaks_nothing() -> None:
    rng = random.Random(4)
    for codec in ("h264", "hevc"):
        for _ in range(3000):
            depacketizer = Depacketizer(codec)
            for _ in range(3):
                garbage = bytes((0x80 | rng.randrange(64),)) + rng.randbytes(rng.randrange(40))
                try:
                    depacketizer.take(memoryview(garbage))
                except Unfamiliar:
                    break


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_picture_that_never_ends_is_let_go(codec: str) -> None:
    unit = (_KEY if codec == "h264" else _KEY_265)[-1]
    first, middle, *_ = rtp.fragments(codec, unit[:2] + bytes(180_000), 60_000)
    packets = [rtp.packet(first if number == 0 else middle, number, 0, marker=False) for number in range(300)]
    with pytest.raises(Unfamiliar, match="without an end"):
        _taken(codec, packets)
