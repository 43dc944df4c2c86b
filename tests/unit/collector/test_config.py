"""The collector's configuration: the example loads, mistakes are told all at once."""

from datetime import date
from pathlib import Path

import pytest

from collector.alerts.channels.protocol import ChannelBusy
from collector.alerts.rules import ALL_WEEK, Hours, LocalTime
from collector.alerts.texts import AlertText
from collector.config import CollectorConfig, load_collector_config
from vonggac.daemon.config import ConfigInvalid

EXAMPLE = Path(__file__).parents[3] / "configs/collector.yaml"


def load(folder: Path, text: str) -> CollectorConfig:
    path = folder / "collector.yaml"
    path.write_text(text, encoding="utf-8")
    return load_collector_config(path)


def test_the_example_loads_and_its_rule_is_what_it_says() -> None:
    config = load_collector_config(EXAMPLE)
    assert config.broker.embedded
    [rule] = [section.rule() for section in config.alerts.rules]
    assert rule.hours == (Hours(21 * 60, 5 * 60, ALL_WEEK), Hours(0, 24 * 60, frozenset({5, 6})))


def test_options_behind_a_hash_in_the_example_show_the_defaults(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    begin = lines.index(
        "# retention:                    # what is under legal hold is deleted by nothing (no command sets a hold yet)"
    )
    section = [line[2:] for line in lines[begin : begin + 7] if "max_bytes" not in line]
    shown = load(tmp_path, "data: d\nbroker: embedded\n" + "\n".join(section))
    assert shown.retention == load(tmp_path, "data: d\nbroker: embedded\n").retention


def test_the_shortest_file_will_do(tmp_path: Path) -> None:
    config = load(tmp_path, "data: server\nbroker: embedded\n")
    assert config.broker.listen == ("127.0.0.1", 1883)
    assert config.database_url == f"sqlite:///{tmp_path / 'server/collector.sqlite'}"


def test_five_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = (
        "data: server\nbroker: {embeded: true}\nhttp:\n  listen: 8080\nretention:\n  clips: a month\n"
        "alerts:\n  rules:\n    - name: night\n      channels: [phone]\ntime_zone: Hanoi\n"
    )
    with pytest.raises(ConfigInvalid) as caught:
        load(tmp_path, text)
    lines = [line.removeprefix(f"{tmp_path}/") for line in caught.value.lines]
    assert lines[0] == "collector.yaml:2: broker.embeded: unknown option. Did you mean 'embedded'?"
    assert any(line.startswith("collector.yaml:4: http.listen: must be HOST:PORT") for line in lines)
    assert any(line.startswith("collector.yaml:6: retention.clips: ") for line in lines)
    assert any("tells channel 'phone'; known: screen" in line for line in lines)
    assert any(line.startswith("collector.yaml:11: time_zone: is no time zone") for line in lines)


@pytest.mark.parametrize(
    ("broker", "message"),
    [
        ("{embedded: true, host: x}", "write either `broker: embedded` or a broker's host"),
        ("{port: 1883}", "write either `broker: embedded` or a broker's host"),
        ("{host: x, user: y}", "user and password_file go together: give both or neither"),
    ],
)
def test_a_broker_is_ours_or_anothers(tmp_path: Path, broker: str, message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        load(tmp_path, f"data: d\nbroker: {broker}\n")


def test_a_channels_addresses_must_be_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "phone.urls").write_text("json://localhost\n")
    config = load(tmp_path, "data: d\nbroker: embedded\nalerts: {channels: [{name: phone, urls_file: phone.urls}]}\n")
    with pytest.raises(ConfigInvalid, match="open to others"):
        config.alerts.all_channels()
    (tmp_path / "phone.urls").chmod(0o600)
    assert [channel.name for channel in config.alerts.all_channels()] == ["screen", "phone"]


GIB = 2**30


@pytest.mark.parametrize(
    ("more", "tell_below", "keep_free"),
    [
        ("", 7 * GIB // 2, 100 * 2**20),
        ("uploads: {keep_free: 10GiB}\n", 15 * GIB, 100 * 2**20),
        ("uploads: {keep_free: 50MiB}\nretention: {keep_free: 50MiB}\n", 75 * 2**20, 50 * 2**20),
        ("disk: {tell_below: 4GiB, keep_free: 1GiB}\n", 4 * GIB, GIB),
    ],
)
def test_technicians_are_told_before_clips_wait_and_clips_wait_before_events(
    tmp_path: Path, more: str, tell_below: int, keep_free: int
) -> None:
    config = load(tmp_path, f"data: d\nbroker: embedded\n{more}")
    assert (config.disk_tell_below, config.disk_keep_free) == (tell_below, keep_free)


@pytest.mark.parametrize(
    ("disk", "reason"),
    [("{tell_below: 1GiB}", "would hear of it too late"), ("{keep_free: 3GiB}", "events would wait before clips do")],
)
def test_a_disk_that_would_fill_in_the_wrong_order_is_refused(tmp_path: Path, disk: str, reason: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(tmp_path, f"data: d\nbroker: embedded\ndisk: {disk}\n")
    assert any(reason in line for line in caught.value.lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("broker: {embedded: true, listen: '0.0.0.0:1883'}\n", "would go over the line in the clear"),
        ("broker: {host: 10.0.0.5}\n", "would go over the line in the clear"),
        ("broker: {embedded: true, listen: '0.0.0.0:1883'}\nclosed_network: true\n", None),
        ("broker: {host: 10.0.0.5, tls: {ca_file: c}}\n", None),
        ("broker: {embedded: true, listen: '0.0.0.0:8883'}\nidentity: {names: [h], key_password_file: s}\n", None),
        ("broker: embedded\nidentity: {names: ['a b'], key_password_file: s}\n", "is no host name and no address"),
        ("broker: embedded\nidentity: {names: [], key_password_file: s}\n", "needs at least 1"),
        (
            "broker: embedded\nuploads: {listen: '127.0.0.1:1'}\nidentity: {names: [h], key_password_file: s}\n",
            "clips come to identity.listen",
        ),
        (
            "broker: {host: h, user: u, password_file: p}\nidentity: {names: [h], key_password_file: s}\n",
            "the collector proves itself by its certificate",
        ),
    ],
)
def test_boxes_have_one_way_in(tmp_path: Path, text: str, said: str | None) -> None:
    file = tmp_path / "collector.yaml"
    file.write_text("data: d\n" + text)
    if said is None:
        load_collector_config(file)
        return
    with pytest.raises(ConfigInvalid, match=said):
        load_collector_config(file)


ROSTER = """
data: d
broker: embedded
alerts:
  holidays: [2027-02-05]
  place: {latitude: 21.03, longitude: 105.85}
  rules:
    - name: night
      min_size: 0.02
      min_dwell: 5s
      channels: [duty]
      escalate: [{after: 3m, channels: [duty-next, screen]}]
      hours:
        - {from: sunset-30m, to: sunrise+1h}
        - {from: "00:00", to: "24:00", days: [sun, holiday]}
  channels: [{name: lan, urls_file: lan.urls}, {name: minh, urls_file: lan.urls}]
  roster:
    shifts:
      - {officer: Lan, channel: lan, hours: [{from: "06:00", to: "18:00"}]}
      - {officer: Minh, channel: minh, hours: [{from: "18:00", to: "06:00"}]}
"""


def test_hours_by_the_sun_holidays_and_a_roster(tmp_path: Path) -> None:
    (tmp_path / "lan.urls").write_text("json://127.0.0.1:9/x\n")
    (tmp_path / "lan.urls").chmod(0o600)
    config = load(tmp_path, ROSTER)
    [rule] = config.rules()
    assert (rule.min_size, rule.min_dwell_s) == (0.02, 5.0)
    night, rest = rule.hours
    friday = date(2027, 2, 5)
    assert night.covers(LocalTime(4, 17 * 60 + 30, friday)), "sunset is at 17:52"
    assert not night.covers(LocalTime(4, 17 * 60 + 15, friday))
    assert rest.covers(LocalTime(4, 12 * 60, friday))
    assert not rest.covers(LocalTime(4, 12 * 60, date(2027, 2, 12)))
    now_ms = 1_790_000_000_000  # 21:13 there
    channels = {each.name: each for each in config.alerts.all_channels(None, config.zone, lambda: now_ms)}
    assert list(channels) == ["screen", "lan", "minh", "duty", "duty-next"]
    assert config.alerts.channel_names() == tuple(channels)
    with pytest.raises(ChannelBusy, match=r"^minh: "):
        channels["duty"].send("a", AlertText("t", "b", rings=True), None)
    with pytest.raises(ChannelBusy, match=r"^lan: "):
        channels["duty-next"].send("a", AlertText("t", "b", rings=True), None)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  place: {latitude: 21.03, longitude: 105.85}\n", "", "place: is missing; sunrise and sunset need"),
        ("sunset-30m", "sundown", "must be a time of day, or sunrise or sunset"),
        (
            'to: "18:00"',
            'to: "17:00"',
            "nobody is on duty on mon 17:00: fill the week, or name channels",
        ),
        ("officer: Minh, channel: minh", "officer: Minh, channel: hoa", "roster: channel 'hoa' is not configured"),
        ('from: "18:00"', "from: sunset", "shifts go by the clock and by weekdays"),
        ("name: minh, urls", "name: duty, urls", "'duty' has a meaning of its own"),
        ("2027-02-05", "Tết", "alerts.holidays[0]"),
        ("min_size: 0.02", "min_size: 2", "alerts.rules[night].min_size"),
    ],
)
def test_mistakes_in_hours_and_roster_are_told(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in ROSTER
    with pytest.raises(ConfigInvalid) as told:
        load(tmp_path, ROSTER.replace(old, new, 1))
    assert words in str(told.value)
