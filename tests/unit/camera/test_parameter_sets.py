from edge_agent.camera.parameter_sets import continues_picture, parameter_sets

_SPS, _PPS, _IDR = b"\x67\x42\xc0\x0c\xda", b"\x68\xce\x0f\xc8", b"\x65\x88\x84"


def test_the_parameter_sets_of_a_key_frame_are_found_once_each() -> None:
    data = b"\x00\x00\x00\x01\x09\xf0" + b"".join(b"\x00\x00\x00\x01" + u for u in (_SPS, _PPS, _SPS, _PPS, _IDR))
    assert parameter_sets("h264", data) == {_SPS}


def test_h265_keeps_video_and_sequence_sets() -> None:
    vps, sps, slice_ = b"\x40\x01\x0c", b"\x42\x01\x01", b"\x26\x01\xaf"
    data = b"".join(b"\x00\x00\x01" + unit for unit in (vps, sps, slice_))
    assert parameter_sets("hevc", data) == {vps, sps}


def test_pictures_of_a_file_and_other_codecs_are_not_looked_into() -> None:
    assert parameter_sets("h264", b"\x00\x00\x00\x05" + _SPS) == frozenset()
    assert parameter_sets("mjpeg", b"\xff\xd8\x00\x00\x01\x67") == frozenset()
    assert parameter_sets("h264", b"") == frozenset()
    assert parameter_sets("h264", b"\x00\x00\x01") == frozenset()


def test_where_a_picture_begins_is_told_from_its_first_slice() -> None:
    first, later = b"\x65\x88\x84", b"\x65\x00\x5a\x88"
    for lead in (b"", b"\x00\x00\x00\x01" + _SPS + b"\x00\x00\x00\x01" + _PPS):
        assert not continues_picture("h264", lead + b"\x00\x00\x00\x01" + first)
        assert continues_picture("h264", lead + b"\x00\x00\x00\x01" + later)
    assert not continues_picture("hevc", b"\x00\x00\x01\x26\x01\xaf")
    assert continues_picture("hevc", b"\x00\x00\x01\x26\x01\x2f")
    for nothing in (b"", b"\x00\x00\x01", b"\x00\x00\x01\x65", b"\x00\x00\x00\x05" + later):
        assert not continues_picture("h264", nothing)
    assert not continues_picture("mjpeg", b"\x00\x00\x01" + later)
