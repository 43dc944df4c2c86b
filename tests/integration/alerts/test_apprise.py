"""The Apprise channel against a real HTTP server on this machine that fails, refuses and hangs."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from collector.alerts.channels.apprise import AppriseChannel, read_urls
from collector.alerts.channels.protocol import ChannelBusy, ChannelRefused
from collector.alerts.rules import Rule
from collector.alerts.texts import AlertText
from tests.integration.alerts.desk import NOW, Desk
from tests.support.clock import FakeClock

TEXT = AlertText("Có chuyển động: Cổng", "Lúc: 21/11/2026 00:30:05", rings=True)


class Webhook:
    """A server that answers as told, and then with 200; it keeps what it took."""

    def __init__(self) -> None:
        self.answers: list[int | str] = []
        self.taken: list[dict[str, object]] = []
        self.asked = 0
        self.released = threading.Event()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.asked += 1
                answer = webhook.answers.pop(0) if webhook.answers else 200
                if answer == "hang":
                    webhook.released.wait(20)
                    return
                if answer == 200:
                    webhook.taken.append(json.loads(body))
                self.send_response(int(answer))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://user:hunter2@127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.close()


def test_an_alert_arrives_with_its_vietnamese_text(webhook: Webhook) -> None:
    AppriseChannel("hook", (webhook.url,)).send("a1", TEXT, None)
    ((title, message, kind, attachments),) = [
        (taken["title"], taken["message"], taken["type"], taken["attachments"]) for taken in webhook.taken
    ]
    assert (title, message) == (TEXT.title, TEXT.body)
    assert (kind, attachments) == ("warning", [])


@pytest.mark.parametrize(("allowed", "expected"), [(True, 1), (False, 0)])
def test_a_picture_goes_only_where_pictures_may_go(webhook: Webhook, allowed: bool, expected: int) -> None:
    AppriseChannel("hook", (webhook.url,), may_carry_pictures=allowed).send("a1", TEXT, b"\xff\xd8jpeg\xff\xd9")
    assert [len(taken["attachments"]) for taken in webhook.taken] == [expected]  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_passing_failure_is_busy_and_names_no_secret(webhook: Webhook, status: int) -> None:
    webhook.answers = [status]
    with pytest.raises(ChannelBusy) as caught:
        AppriseChannel("hook", (webhook.url,)).send("a1", TEXT, None)
    assert str(caught.value) == f"address 1: HTTP {status}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_permanent_failure_is_a_refusal_and_names_no_secret(webhook: Webhook, status: int) -> None:
    webhook.answers = [status]
    with pytest.raises(ChannelRefused) as caught:
        AppriseChannel("hook", (webhook.url,)).send("a1", TEXT, None)
    assert str(caught.value) == f"address 1: HTTP {status}"


def test_a_server_that_hangs_is_left_and_is_busy(webhook: Webhook) -> None:
    webhook.answers = ["hang"]
    with pytest.raises(ChannelBusy, match="address 1: no answer"):
        AppriseChannel("hook", (webhook.url,), read_s=0.3).send("a1", TEXT, None)


def test_nobody_at_the_address_is_busy() -> None:
    with pytest.raises(ChannelBusy, match="address 1: no answer"):
        AppriseChannel("hook", ("json://127.0.0.1:9/hook",)).send("a1", TEXT, None)


def test_of_two_addresses_only_the_one_that_failed_is_tried_again(webhook: Webhook) -> None:
    other = Webhook()
    try:
        channel = AppriseChannel("hook", (webhook.url, other.url))
        other.answers = [503, 503]
        for _ in range(2):
            with pytest.raises(ChannelBusy, match="address 2: HTTP 503"):
                channel.send("a1", TEXT, None)
        channel.send("a1", TEXT, None)
        assert (len(webhook.taken), len(other.taken)) == (1, 1)
    finally:
        other.close()


def test_an_address_that_refused_is_not_asked_again_for_another_s_sake(webhook: Webhook) -> None:
    other = Webhook()
    try:
        channel = AppriseChannel("hook", (webhook.url, other.url))
        webhook.answers, other.answers = [404], [503]
        with pytest.raises(ChannelBusy, match="address 2: HTTP 503; address 1: HTTP 404"):
            channel.send("a1", TEXT, None)
        with pytest.raises(ChannelRefused, match="address 1: HTTP 404"):
            channel.send("a1", TEXT, None)
        assert (len(webhook.taken), len(other.taken)) == (0, 1)
    finally:
        other.close()


def test_addresses_are_read_one_a_line() -> None:
    assert read_urls("# phones\nntfy://a\n\n  ntfy://b  \n") == ("ntfy://a", "ntfy://b")


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ((), "channel hook: no address; its file needs one Apprise URL a line"),
        (("ntfy://topic", "hunter2"), "channel hook: address 2 is no URL that Apprise understands"),
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(urls: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        AppriseChannel("hook", urls)


def test_no_secret_of_an_address_reaches_the_log(webhook: Webhook, capfd: pytest.CaptureFixture[str]) -> None:
    webhook.answers = [503]
    with pytest.raises(ChannelBusy):
        AppriseChannel("hook", (webhook.url,)).send("a1", TEXT, None)
    with pytest.raises(ValueError, match="address 1"):
        AppriseChannel("hook", ("nonsense://hunter2",))
    captured = capfd.readouterr()
    assert "hunter2" not in captured.out + captured.err


def test_an_alert_reaches_the_webhook_after_three_failures_through_the_whole_queue(
    tmp_path: Path, webhook: Webhook
) -> None:
    desk = Desk(tmp_path, (Rule(name="r", channels=("hook",)),))
    desk.add_camera("hop-1", "gate")
    desk.hear("e1", NOW)
    desk.loop.step(NOW)
    webhook.answers = [503, 500, 429]
    delivery, clock = desk.delivery(AppriseChannel("hook", (webhook.url,))), FakeClock(NOW)
    while desk.alerts("state") == ["due"]:
        delivery.step(clock.wall_ms)
        clock.advance(1000)
    assert desk.alerts("state", "attempts") == [("sent", 4)]
    assert len(webhook.taken) == 1
    assert "127.0.0.1" not in str(desk.alerts("error"))
    desk.database.close()
