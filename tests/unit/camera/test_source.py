from dataclasses import astuple

import pytest

from edge_agent.camera.source import SourceAddress


@pytest.mark.parametrize(
    ("text", "kind", "target", "loop"),
    [
        ("rtsp://10.0.0.7/stream1", "rtsp", "rtsp://10.0.0.7/stream1", False),
        ("rtsp://u:p%40ss@10.0.0.7:8554/s?channel=1", "rtsp", "rtsp://u:p%40ss@10.0.0.7:8554/s?channel=1", False),
        ("RTSP://cam.local/a", "rtsp", "rtsp://cam.local/a", False),
        ("rtsp://[fe80::1]:554/a", "rtsp", "rtsp://[fe80::1]:554/a", False),
        ("http://cam/video.mjpg", "http", "http://cam/video.mjpg", False),
        ("usb:0", "usb", "/dev/video0", False),
        ("usb:/dev/v4l/by-id/usb-Cam-video-index0", "usb", "/dev/v4l/by-id/usb-Cam-video-index0", False),
        ("/srv/street.mp4", "file", "/srv/street.mp4", False),
        ("street.mp4?loop=1", "file", "street.mp4", True),
        ("street.mp4?loop=0", "file", "street.mp4", False),
        ("file:///srv/a b.mp4", "file", "/srv/a b.mp4", False),
        ("what?.mp4", "file", "what?.mp4", False),
        (" usb:2 ", "usb", "/dev/video2", False),
    ],
)
def test_an_address_says_its_kind_and_what_to_open(text: str, kind: str, target: str, loop: bool) -> None:
    address = SourceAddress.parse(text)
    assert (address.kind, address.target, address.loop) == (kind, target, loop)


_HINT = "Write rtsp://HOST/PATH, usb:0, http://HOST/PATH or the path of a video file (with ?loop=1 to repeat it)."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"The camera's source is empty. {_HINT}"),
        ("  ", f"The camera's source is empty. {_HINT}"),
        ("rtsp://", f"The camera's address names no host. {_HINT}"),
        ("rtsp://cam:99999/a", f"The host or port in the camera's address cannot be read. {_HINT}"),
        ("rtsp://cam:abc/a", f"The host or port in the camera's address cannot be read. {_HINT}"),
        ("ftp://cam/a", f"A source of the kind ftp:// is not known. {_HINT}"),
        ("udp://239.0.0.1:1234", f"A source of the kind udp:// is not known. {_HINT}"),
        ("usb:x", "A USB camera is written usb:0 (for /dev/video0), usb:1, … or usb:/dev/v4l/by-id/NAME."),
        ("usb:", "A USB camera is written usb:0 (for /dev/video0), usb:1, … or usb:/dev/v4l/by-id/NAME."),
        (
            "usb:/dev/../etc/passwd",
            "A USB camera is written usb:0 (for /dev/video0), usb:1, … or usb:/dev/v4l/by-id/NAME.",
        ),
        ("a.mp4?loop=2", "A file source takes ?loop=1 or ?loop=0."),
        ("a.mp4?lop=1", "A file source knows only ?loop=1, not 'lop'."),
        ("rtsp://cam/\x00a", f"The camera's source holds a control character. {_HINT}"),
        ("rtsp://u:p@ss@cam/a", "The password in the address holds @ or /: give it by its own option instead."),
    ],
)
def test_a_wrong_address_is_refused_in_plain_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        SourceAddress.parse(text)
    assert str(refused.value) == message


def test_a_password_of_its_own_is_quoted_into_what_is_opened() -> None:
    address = SourceAddress.parse("rtsp://cam:8554/a", user="an", password="p@ss/w:rd %")
    assert address.target == "rtsp://an:p%40ss%2Fw%3Ard%20%25@cam:8554/a"


def test_a_password_never_shows_in_any_form_for_eyes() -> None:
    for address in (
        SourceAddress.parse("rtsp://an:geheim@cam/a?user=an&password=geheim"),
        SourceAddress.parse("http://cam/a?pwd=geheim", user="an", password="geheim"),
    ):
        for shown in (str(address), repr(address), f"{address}", address.redacted):
            assert "geheim" not in shown
        assert "***@cam" in address.redacted
        assert "geheim" in astuple(address)[1]


def test_errors_about_an_address_do_not_quote_its_password() -> None:
    for text in ("rtsp://an:geheim@cam:xx/a", "rtsp://an:gehe@im@cam/a", "ftp://an:geheim@cam/"):
        with pytest.raises(ValueError, match=r".") as refused:
            SourceAddress.parse(text)
        assert "gehe" not in str(refused.value)


def test_a_password_fits_only_network_cameras() -> None:
    with pytest.raises(ValueError, match=r"fits only rtsp:// and http:// sources"):
        SourceAddress.parse("usb:0", user="an")


def test_a_user_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="stands both in the address and in its own option"):
        SourceAddress.parse("rtsp://an@cam/a", user="an")
