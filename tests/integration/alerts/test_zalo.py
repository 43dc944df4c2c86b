"""The Zalo channel against a stand-in of its bot API on this machine."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from collector.alerts.channels.lending import LENT_FOR_MS, Lender, lent
from collector.alerts.channels.protocol import ChannelBusy, ChannelRefused
from collector.alerts.channels.zalo import LONGEST, ZaloChannel
from collector.alerts.rules import Rule
from collector.alerts.texts import AlertText
from collector.cli import main
from collector.config import load_collector_config
from tests.integration.alerts.desk import NOW, Desk
from tests.support.clock import FakeClock
from tests.support.zalo_bot import TOKEN, ZaloBot
from vonggac.daemon.config import ConfigInvalid

TEXT = AlertText("Có chuyển động: Cổng", "Lúc: 21/11/2026 00:30:05", rings=True)
KEY, JPEG = b"k" * 32, b"\xff\xd8jpeg\xff\xd9"
LENDER = Lender(KEY, "https://vg.example/", lambda: NOW)
LAN, MINH = "6ede9afa66b88fe6d6a9", "7fde9afa66b88fe6d6a0"


@pytest.fixture
def bot() -> Iterator[ZaloBot]:
    made = ZaloBot()
    yield made
    made.close()


def channel(bot: ZaloBot, *chats: str, **more: Any) -> ZaloChannel:
    return ZaloChannel("zalo", more.pop("token", TOKEN), chats or (LAN,), api=bot.url, **more)


def test_an_alert_arrives_as_plain_text_in_every_chat(bot: ZaloBot) -> None:
    channel(bot, LAN, MINH).send("a1", TEXT, None)
    words = f"{TEXT.title}\n{TEXT.body}"
    assert bot.taken == [("sendMessage", {"chat_id": chat, "text": words}) for chat in (LAN, MINH)]


def test_a_long_text_is_cut_to_what_the_api_takes(bot: ZaloBot) -> None:
    channel(bot).send("a1", AlertText("Tiêu đề", "ô" * 5000, rings=True), None)
    [(_, body)] = bot.taken
    assert len(body["text"]) == LONGEST
    assert body["text"].endswith("ô…")


def test_a_picture_goes_only_where_pictures_may_go_and_as_a_link_that_ends(bot: ZaloBot) -> None:
    assert not channel(bot).may_carry_pictures
    channel(bot).send("a1", TEXT, JPEG)
    lending = channel(bot, lend=LENDER)
    assert lending.may_carry_pictures
    lending.send("a2", TEXT, JPEG)
    lending.send("a3", TEXT, None)
    assert [method for method, _ in bot.taken] == ["sendMessage", "sendPhoto", "sendMessage"]
    name = bot.taken[1][1]["photo"].removeprefix("https://vg.example/lent/")
    sha256 = hashlib.sha256(JPEG).hexdigest()
    assert lent(KEY, name, NOW + LENT_FOR_MS - 2000) == sha256
    assert lent(KEY, name, NOW + LENT_FOR_MS) is None
    assert lent(b"x" * 32, name, NOW) is None
    for wrong in (name.replace(sha256, "0" * 64), name[:-1], f"{name}0", name.replace(".", ".9", 1), "", "..", "a.1.é"):
        assert lent(KEY, wrong, NOW) is None, wrong


def test_a_picture_that_zalo_cannot_fetch_does_not_cost_the_alert(bot: ZaloBot) -> None:
    bot.answers = [(200, {"ok": False, "error_code": 400, "description": "photo"})]
    channel(bot, lend=LENDER).send("a1", TEXT, JPEG)
    assert [method for method, _ in bot.taken] == ["sendMessage"]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((200, {"ok": False, "error_code": 400, "description": "chat not found"}), ChannelRefused, "chat 1: error 400"),
        ((404, {}), ChannelRefused, "chat 1: error 404"),
        ((200, {"ok": False, "error_code": 429}), ChannelBusy, "chat 1: error 429"),
        ((200, {"ok": False, "error_code": -216}), ChannelBusy, "chat 1: error -216"),
        ((200, {"ok": False}), ChannelBusy, "chat 1: error 200"),
        ((200, []), ChannelBusy, "chat 1: error 200"),
        ((502, b"<html>Bad gateway"), ChannelBusy, "chat 1: error 502"),
        ((302, {}), ChannelBusy, "chat 1: error 302"),
        ("hang", ChannelBusy, "chat 1: no answer"),
    ],
)
def test_a_failure_says_whether_it_passes(bot: ZaloBot, answer: Any, error: type[Exception], words: str) -> None:
    bot.answers = [answer]
    with pytest.raises(error) as told:
        channel(bot, read_s=0.3).send("a1", TEXT, None)
    assert str(told.value) == words


def test_a_wrong_token_is_refused_and_never_told(bot: ZaloBot) -> None:
    with pytest.raises(ChannelRefused) as told:
        channel(bot, token="1:wrong-secret").send("a1", TEXT, None)
    assert str(told.value) == "chat 1: error 401"


def test_no_answer_names_neither_address_nor_token(bot: ZaloBot, capfd: pytest.CaptureFixture[str]) -> None:
    gone = ZaloChannel("zalo", TOKEN, (LAN,), api="http://127.0.0.1:9")
    with pytest.raises(ChannelBusy) as told:
        gone.send("a1", TEXT, None)
    assert str(told.value) == "chat 1: no answer"
    assert told.value.__cause__ is None
    assert "hunter2" not in str(told.getrepr(chain=True)).replace(f'TOKEN = "{TOKEN}"', "")
    assert "hunter2" not in "".join(capfd.readouterr())


def test_who_took_it_is_not_sent_it_again(bot: ZaloBot) -> None:
    made = channel(bot, LAN, MINH)
    bot.answers = [(200, {"ok": True, "result": {}}), (503, {})]
    with pytest.raises(ChannelBusy, match=r"^chat 2: error 503$"):
        made.send("a1", TEXT, None)
    made.send("a1", TEXT, None)
    assert [body["chat_id"] for _, body in bot.taken] == [MINH]


def test_the_queue_tries_again_and_marks_it_and_the_log_holds_no_token(
    desk: Desk, bot: ZaloBot, capfd: pytest.CaptureFixture[str]
) -> None:
    desk.loop._rules = (Rule(name="r", channels=("zalo",)),)
    desk.hear("e1", NOW - 100)
    desk.loop.step(NOW)
    bot.answers = [(500, {}), "hang"]
    delivery, clock = desk.delivery(channel(bot, read_s=0.3)), FakeClock(NOW)
    while desk.alerts("state") != ["sent"]:
        delivery.step(clock.wall_ms)
        clock.advance(1000)
    assert [body["text"].splitlines()[0] for _, body in bot.taken] == ["Có chuyển động: gate, Trường học"]
    assert desk.alerts("attempts") == [3]
    assert "hunter2" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (None, None),
        ({"ok": True, "result": {"event_name": "message.text.received"}}, None),
        (
            {
                "ok": True,
                "result": {
                    "message": {
                        "from": {"id": LAN, "display_name": "Lan"},
                        "chat": {"id": LAN, "chat_type": "PRIVATE"},
                    },
                    "event_name": "message.text.received",
                },
            },
            (LAN, "Lan"),
        ),
    ],
)
def test_who_writes_to_the_bot_is_shown(bot: ZaloBot, update: object, expected: tuple[str, str] | None) -> None:
    bot.update = update
    assert channel(bot).heard_from(1) == expected


def configured(folder: Path, bot: ZaloBot, channel: str = "", http: str = "{}", rule: str = "zalo") -> Path:
    (folder / "zalo.token").write_text(TOKEN)
    (folder / "zalo.token").chmod(0o600)
    file = folder / "collector.yaml"
    file.write_text(
        f"data: d\nbroker: embedded\nhttp: {http}\nalerts:\n  rules: [{{name: r, channels: [{rule}]}}]\n"
        f"  channels: [{{name: zalo, zalo: {{token_file: zalo.token, api: '{bot.url}'{channel}}}}}]\n"
    )
    return file


def test_the_command_line_tries_it_and_shows_who_wrote(tmp_path: Path, bot: ZaloBot) -> None:
    bot.update = {"ok": True, "result": {"message": {"from": {"display_name": "Lan"}, "chat": {"id": LAN}}}}
    file = configured(tmp_path, bot, rule="screen")
    done = CliRunner().invoke(main, ["channel", "chats", "zalo", "--config", str(file)])
    assert (done.exit_code, done.stdout) == (0, f"{LAN}  Lan\n")
    file = configured(tmp_path, bot, f", chats: [{LAN}]")
    done = CliRunner().invoke(main, ["channel", "test", "zalo", "--config", str(file)])
    assert (done.exit_code, done.stdout) == (0, "sent\n")
    assert bot.taken[0][1]["text"].startswith("Tin thử từ Vọng Gác\nLúc: ")
    bot.answers = [(403, {})]
    done = CliRunner().invoke(main, ["channel", "test", "zalo", "--config", str(file)])
    assert (done.exit_code, done.stderr) == (1, "Error: channel zalo: chat 1: error 403\n")


@pytest.mark.parametrize(
    ("channel", "http", "words"),
    [
        ("", "{}", "which has no chats yet. Do: collector channel chats zalo"),
        (", chats: ['a b']", "{}", "chats"),
        (", chats: [a], api: 'http://zalo.example'", "{}", "must be https://HOST: the bot's token goes there"),
        (", chats: [a]}, urls_file: x, language: {", "{}", "give either urls_file or zalo"),
        (", chats: [a]}, may_carry_pictures: true, language: {", "{}", "Zalo fetches pictures from http.public_url"),
    ],
)
def test_a_configuration_that_would_tell_nobody_is_refused(
    tmp_path: Path, bot: ZaloBot, channel: str, http: str, words: str
) -> None:
    file = configured(tmp_path, bot, channel, http)
    file.write_text(
        file.read_text().replace(f"api: '{bot.url}', chats: [a], api", "chats: [a], api").replace(", language: {}", "")
    )
    with pytest.raises(ConfigInvalid) as told:
        load_collector_config(file)
    assert words in str(told.value)
