"""What the server refused and a box keeps: the boxes' pages say what it is and why."""

import dataclasses
import re
from pathlib import Path

import pytest
import requests

from collector.ingest import upload
from collector.web.wording import load_texts
from edge_agent.uplink import tus
from edge_agent.uplink.errors import ItemRefused, UplinkRefused, UplinkUnavailable
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


def test_a_refused_item_is_named_with_its_reason_on_the_boxs_page(page):
    text = page(f"/boxes/{BOX}")
    assert "Máy chủ từ chối: Đoạn phim 01890a5d-b000, 3,0 MB. Đoạn phim không khớp với tin đã báo về nó" in text
    assert "HTTP 422 &lt;odd&gt;" in text
    assert "Máy chủ từ chối: còn 2 mục nữa" in text


def test_the_fleet_counts_what_was_refused(page):
    assert "3 mục bị từ chối" in page("/boxes")


def test_every_status_for_which_a_box_gives_a_clip_up_has_words():
    source = Path(upload.__file__).read_text(encoding="utf-8")
    given_up = set()
    for status in re.findall(r"\b4\d\d\b", source):
        answer = requests.Response()
        answer.status_code = int(status)
        try:
            tus.judge(answer, begun=False)
        except ItemRefused:
            given_up.add(status)
        except (UplinkRefused, UplinkUnavailable):
            continue
    for language in ("vi", "en"):
        told = {key.partition(".")[2] for key in load_texts(language) if key.startswith("clip_refused.")}
        assert told == given_up
