import pytest

from vonggac.wire.ids import is_box_id, is_camera_name, is_uuid, uuid7


def test_uuid7_carries_the_example_of_rfc_9562_appendix_a6():
    random_bytes = (0x0CC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0, random_bytes) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_uuid7_sorts_by_time():
    ids = [uuid7(ms, b"\xff" * 10 if ms % 2 else bytes(10)) for ms in range(1000, 1100)]
    assert ids == sorted(ids)


def test_uuid7_wants_ten_random_bytes():
    with pytest.raises(ValueError, match="needs 10 random bytes, got 3"):
        uuid7(0, b"abc")


@pytest.mark.parametrize("text", ["a-1", "x" * 40, "nha-van-hoa-01"])
def test_box_ids(text):
    assert is_box_id(text)


@pytest.mark.parametrize("text", ["ab", "x" * 41, "Nhà", "a b", "a/b", "a+b", "#", "a_b", "abc\n"])
def test_what_is_no_box_id(text):
    assert not is_box_id(text)


@pytest.mark.parametrize("text", ["", "-a", "_a", "a" * 41, "a/b", "..", "a.b", "A"])
def test_what_is_no_camera_name(text):
    assert not is_camera_name(text)


def test_uuids_are_lower_case_and_whole():
    assert is_uuid("01890a5d-ac96-774b-bcce-b302099a8057")
    assert not is_uuid("01890A5D-AC96-774B-BCCE-B302099A8057")
    assert not is_uuid("01890a5dac96774bbcceb302099a8057")
