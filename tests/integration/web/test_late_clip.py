"""A clip that begins after the motion did says so: no gap looks like quiet."""

import pytest

SCHOOL = "truong-tieu-hoc"
LATE = {"vi": "Đoạn phim bắt đầu sau khi chuyển động", "en": "This clip begins"}


@pytest.mark.parametrize(("after_ms", "span"), [(-5_000, None), (400, None), (3_200, {"vi": "3,2", "en": "3.2"})])
def test_an_officer_sees_how_much_of_the_motion_a_clip_misses(duty, shift, sign_in, after_ms, span):
    start_ms = duty.now_ms - 20_000
    episode = duty.started(SCHOOL, "cong-truong", start_ms)
    clip = duty.announced(SCHOOL, "cong-truong", episode, start_ms + after_ms, b"film")
    duty.stored(SCHOOL, clip, b"film")
    incident = duty.incident("truong-tieu-hoc/cong-truong", episode, start_ms=start_ms, last_ms=start_ms + 5_000)
    officer = sign_in("lan")
    for language, words in LATE.items():
        officer.cookies.set("vg_language", language)
        page = officer.get(f"/incidents/{incident}").text
        assert (words in page) == (span is not None)
        assert span is None or span[language] in page[page.index(words) :][:120]
