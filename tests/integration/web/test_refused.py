"""What the server refused and a box keeps: the boxes' pages say what it is and why."""

import dataclasses

import pytest

from tests.support.duty import a_heartbeat
from vonggac.wire import messages as m

BOX = "nha-van-hoa-01"


@pytest.fixture
def page(sign_in, shift, duty):
    beat = a_heartbeat(("cong",))
    refused = (m.Refused(kind="clip", key="01890a5d-b000", reason="HTTP 422 <odd>", size_bytes=3_000_000),)
    outbox = dataclasses.replace(beat.outbox, parked=3, refused=refused)
    duty.heartbeat(BOX, dataclasses.replace(beat, outbox=outbox))
    return lambda path: sign_in("son").get(path).text


@pytest.mark.parametrize("path", ["/boxes", f"/boxes/{BOX}"])
def test_a_refused_item_is_named_with_its_reason(page, path):
    text = page(path)
    assert "Máy chủ từ chối: Đoạn phim 01890a5d-b000, 3,0 MB: HTTP 422 &lt;odd&gt;" in text
    assert "Máy chủ từ chối: còn 2 mục nữa" in text
