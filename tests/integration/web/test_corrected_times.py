"""An incident whose box had a wrong clock: its page says so in words, with what the box had said."""

import pytest
import sqlalchemy as sa

from collector.store.schema import episodes
from tests.support.duty import NOW_MS

HOUR_MS = 3_600_000
NOW = "21/09/2026 21:13:20"
EARLIER = "21/09/2026 18:13:20"
WORDS = {
    "vi": {
        "corrected": f"Giờ ở đây đã được chỉnh lại sau khi hộp có giờ đúng.<small>Hộp ghi: {EARLIER}</small>",
        "uncertain": f"bắt đầu trong khoảng từ {EARLIER} đến {NOW}.<small>Hộp ghi: {EARLIER}</small>",
        "before": f"bắt đầu không muộn hơn {NOW}.",
    },
    "en": {
        "corrected": f"The times here were corrected once the box knew the true time.<small>The box said: {EARLIER}",
        "uncertain": f"it began between {EARLIER} and {NOW}.<small>The box said: {EARLIER}",
        "before": f"it began no later than {NOW}.",
    },
}


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("case", ["corrected", "uncertain", "before"])
def test_the_page_says_how_the_time_is_known(sign_in, shift, duty, language, case):
    browser = sign_in("lan")
    browser.post("/language", data={"language": language, "next": "/boxes"})
    shown = browser.get(f"/api/v1/incidents/{shift[1]}").json()["episodes"][0]["id"]
    values = {
        "dated": "uncertain" if case == "before" else case,
        "box_start_ms": NOW_MS - 3 * HOUR_MS,
        "earliest_ms": NOW_MS - 3 * HOUR_MS if case == "uncertain" else None,
        "latest_ms": NOW_MS,
    }
    with duty.database.write() as connection:
        connection.execute(sa.update(episodes).where(episodes.c.id == shown).values(**values))
    page = browser.get(f"/incidents/{shift[1]}?episode={shown}").text
    assert WORDS[language][case] in page
    assert ("≤ " in page) == (case != "corrected")


def test_a_page_without_a_wrong_clock_says_nothing_of_clocks(sign_in, shift):
    page = sign_in("lan").get(f"/incidents/{shift[1]}").text
    assert "Hộp ghi" not in page
    assert "Đồng hồ hộp" not in page
