"""The agent's configuration: the commented example loads, and every mistake is told at once."""

from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_agent.cli import main
from edge_agent.config import config_hash, load_edge_config
from vonggac.daemon.config import ConfigInvalid

EXAMPLE = Path(__file__).parents[3] / "configs" / "edge.yaml"
HEAD = """box: box-1
data: data
broker: {host: 127.0.0.1, password_file: secret}
collector: {url: "http://127.0.0.1:8080"}
"""


def _load(tmp_path: Path, text: str):
    file = tmp_path / "edge.yaml"
    file.write_text(text, encoding="utf-8")
    return load_edge_config(file)


def test_the_commented_example_loads():
    config = load_edge_config(EXAMPLE)
    gate, yard = config.cameras
    assert gate.motion.settings().zones[0].name == "door"
    assert gate.motion.hours().active(17 * 60 + 30, 2)
    assert not gate.motion.hours().active(12 * 60, 2)
    assert gate.motion.settings(at_night=True).sensitivity == 2
    assert yard.source == "usb:0"


def test_every_option_of_the_example_that_is_commented_out_shows_the_default(tmp_path):
    text = EXAMPLE.read_text(encoding="utf-8")
    defaults = [
        line.replace("# ", "", 1)
        for line in text.splitlines()
        if line.startswith(("# log_level", "# heartbeat", "# time_zone", "# disk", "#   budget", "#   keep_free"))
    ]
    plain = HEAD + "cameras: [{name: a, source: x.mp4}]\n"
    assert _load(tmp_path, plain + "\n".join(defaults)) == _load(tmp_path, plain)


@pytest.mark.parametrize(
    ("local", "kbps"),
    [
        (datetime(2026, 11, 27, 12, 0), 2000),
        (datetime(2026, 11, 27, 18, 0), 300),
        (datetime(2026, 11, 27, 22, 30), 2000),
        (datetime(2026, 11, 27, 7, 0), 0),
        (datetime(2026, 11, 28, 7, 0), 2000),
    ],
)
def test_clips_have_the_limit_of_the_hour(tmp_path, local, kbps):
    text = HEAD + "cameras: [{name: a, source: x.mp4}]\nuplink:\n  max_kbps: 2000\n  hours:\n"
    text += '    - {from: "18:00", to: "22:30", max_kbps: 300}\n'
    text += '    - {from: "07:00", to: "11:30", days: [mon, tue, wed, thu, fri], max_kbps: 0}\n'
    assert _load(tmp_path, text).uplink.kbps_at(local) == kbps


def test_a_limit_that_would_never_end_a_clip_is_refused(tmp_path):
    text = HEAD + 'cameras: [{name: a, source: x.mp4}]\nuplink: {hours: [{from: "18:00", to: "19:00", max_kbps: 3}]}\n'
    with pytest.raises(ConfigInvalid, match="must be 0, for clips that wait, or at least 16"):
        _load(tmp_path, text)


def test_paths_count_from_the_configuration_files_folder(tmp_path):
    config = _load(tmp_path, HEAD + "cameras: [{name: a, source: 'street.mp4?loop=1'}, {name: b, source: usb:0}]")
    assert config.data == tmp_path / "data"
    assert config.cameras[0].source == f"{tmp_path}/street.mp4?loop=1"
    assert config.cameras[1].source == "usb:0"


def test_five_mistakes_are_told_at_once_with_line_and_suggestion_and_exit_code_78(tmp_path):
    file = tmp_path / "edge.yaml"
    file.write_text(
        """box: Box 1
data: data
heartbeet: 30s
broker: {host: 127.0.0.1, port: many, password_file: secret}
collector: {url: "http://127.0.0.1:8080"}
cameras:
  - name: gate
    source: rtsp://10.0.0.9/1
    motion:
      sensitivty: 4
      schedule: [{from: "25:10", to: "06:00"}]
""",
        encoding="utf-8",
    )
    for command in ("run", "check"):
        result = CliRunner().invoke(main, [command, "--config", str(file)])
        assert result.exit_code == 78
        assert result.stderr.splitlines() == [
            f"{file}:1: box: must be 3–40 of a–z, 0–9 and -",
            f"{file}:3: heartbeet: unknown option. Did you mean 'heartbeat'?",
            f"{file}:4: broker.port: must be a whole number, not 'many'",
            f"{file}:10: cameras[gate].motion.sensitivty: unknown option. Did you mean 'sensitivity'?",
            f"{file}:11: cameras[gate].motion.schedule[0].from: '25:10' is no time of day; write 22:30",
        ]


MISTAKES = [
    ("cameras: []", "5: cameras: needs at least 1, has 0"),
    (
        "cameras: [{name: a, source: x.mp4}, {name: a, source: y.mp4}]",
        "5: cameras: two cameras are called a: give each its own name",
    ),
    (
        "cameras: [{name: a, source: 'rtsp://h/1', user: me}]",
        "5: cameras[a]: user and password_file go together: give both or neither",
    ),
    (
        "cameras: [{name: a, source: x.mp4, motion: {end_after: 200s}}]",
        "5: cameras[a].motion: end_after_s: must be from 0.5 to 60 seconds, not 200.0",
    ),
    (
        "cameras: [{name: a, source: x.mp4}]\ntime_zone: Asia/Saigonn",
        "6: time_zone: is no time zone that this machine knows; write Asia/Ho_Chi_Minh",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[message[:40] for _, message in MISTAKES])
def test_a_mistake_of_meaning_is_told(tmp_path, text, message):
    with pytest.raises(ConfigInvalid) as caught:
        _load(tmp_path, HEAD + text)
    assert caught.value.lines == [f"{tmp_path}/edge.yaml:{message}"]


def test_a_password_in_an_address_is_in_no_message(tmp_path):
    with pytest.raises(ConfigInvalid) as caught:
        _load(tmp_path, HEAD + "cameras: [{name: a, source: 'rtsp://me:geheim@h:port/1', extra: 1}]")
    assert "geheim" not in str(caught.value)


def test_the_hash_follows_the_options_not_the_comments(tmp_path):
    one = _load(tmp_path, HEAD + "cameras: [{name: a, source: usb:0}]")
    other = _load(tmp_path, "# a word\n" + HEAD + "cameras: [{name: a, source: usb:0}]")
    changed = _load(tmp_path, HEAD + "cameras: [{name: a, source: usb:1}]")
    assert config_hash(one) == config_hash(other) != config_hash(changed)


SECRET = "box: box-1\ndata: d\ncameras: [{name: a, source: usb:0}]\n"


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [
        ("broker: {host: 127.0.0.1, password_file: s}\ncollector: {url: 'http://localhost:1'}\n", True),
        ("broker: {host: 10.0.0.5, password_file: s}\ncollector: {url: 'http://127.0.0.1:1'}\n", False),
        ("broker: {host: 127.0.0.1, password_file: s}\ncollector: {url: 'http://10.0.0.5:1'}\n", False),
        ("broker: {host: may-chu, password_file: s}\ncollector: {url: 'https://may-chu'}\n", False),
        ("broker: {host: x, password_file: s, tls: {ca_file: c}}\ncollector: {url: 'https://x'}\n", True),
        ("closed_network: true\nbroker: {host: x, password_file: s}\ncollector: {url: 'http://x'}\n", True),
    ],
)
def test_a_secret_goes_in_the_clear_only_where_somebody_said_so(tmp_path, text, is_taken):
    if is_taken:
        _load(tmp_path, SECRET + text)
        return
    with pytest.raises(ConfigInvalid, match="would go over the line in the clear"):
        _load(tmp_path, SECRET + text)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("broker: {host: x}\ncollector: {url: 'http://x'}\n", "must be https:// with `identity`"),
        ("closed_network: true\nbroker: {host: x}\ncollector: {url: 'http://x'}\n", "must be https://"),
        ("broker: {host: x, password_file: s}\ncollector: {url: 'https://x'}\n", "take out broker.password_file"),
    ],
)
def test_an_identity_leaves_no_other_way(tmp_path, more, said):
    with pytest.raises(ConfigInvalid, match=said):
        _load(tmp_path, SECRET + "identity: i\n" + more)
    _load(tmp_path, SECRET + "identity: i\nbroker: {host: x}\ncollector: {url: 'https://x'}\n")
