"""What cameras announce, as they announce it."""

import pytest

from edge_agent.camera.rtp import Unfamiliar
from edge_agent.camera.sdp import first_video

_HIKVISION = """v=0\r
o=- 1109162014219182 1109162014219192 IN IP4 x.y.z.w\r
s=Media Presentation\r
e=NONE\r
b=AS:5050\r
t=0 0\r
a=control:rtsp://192.0.2.64:554/Streaming/Channels/101/\r
m=video 0 RTP/AVP 96\r
c=IN IP4 0.0.0.0\r
b=AS:5000\r
a=recvonly\r
a=x-dimensions:1920,1080\r
a=control:rtsp://192.0.2.64:554/Streaming/Channels/101/trackID=1\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z00AKZpmA8AROAAA,aO48gA==\r
m=audio 0 RTP/AVP 8\r
a=control:rtsp://192.0.2.64:554/Streaming/Channels/101/trackID=2\r
a=rtpmap:8 PCMA/8000\r
"""
_DAHUA_265 = """v=0
o=- 2251938202 2251938202 IN IP4 0.0.0.0
s=RTSP Session/2.0
c=IN IP4 0.0.0.0
t=0 0
a=control:*
a=range:npt=now-
m=audio 0 RTP/AVP 97
a=control:trackID=1
a=rtpmap:97 MPEG4-GENERIC/16000
m=video 0 RTP/AVP 98
a=control:trackID=0
a=framerate:25.000000
a=rtpmap:98 H265/90000
a=fmtp:98 profile-id=1;sprop-sps=QgEB;sprop-pps=RAHA;sprop-vps=QAEM
a=recvonly
"""


def test_the_video_of_a_session_is_found() -> None:
    offer = first_video(_HIKVISION)
    assert (offer.codec, offer.session_control) == ("h264", "rtsp://192.0.2.64:554/Streaming/Channels/101/")
    assert offer.control.endswith("trackID=1")
    assert offer.parameter_sets[:6] == b"\0\0\0\1\x67\x4d"
    assert b"\0\0\0\1\x68\xee\x3c\x80" in offer.parameter_sets


def test_the_parameter_sets_of_h265_stand_in_the_order_that_decoders_need() -> None:
    offer = first_video(_DAHUA_265)
    assert (offer.codec, offer.session_control, offer.control) == ("hevc", "*", "trackID=0")
    assert offer.parameter_sets == b"\0\0\0\1\x40\x01\x0c\0\0\0\1\x42\x01\x01\0\0\0\1\x44\x01\xc0"


def test_without_parameter_sets_and_control_it_still_is_a_video() -> None:
    offer = first_video("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 h264/90000\na=fmtp:96 sprop-parameter-sets=%%%\n")
    assert (offer.codec, offer.control, offer.parameter_sets) == ("h264", "", b"")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=0\nm=audio 0 RTP/AVP 8\na=rtpmap:8 PCMA/8000\n",
        "v=0\nm=video 0 RTP/AVP 26\n",  # JPEG needs no map
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\n",
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=2\n",
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 sprop-max-don-diff=4\n",
        "v=0\nm=video\n",
    ],
)
def test_other_offers_are_left_to_ffmpeg(text: str) -> None:
    with pytest.raises(Unfamiliar):
        first_video(text)
