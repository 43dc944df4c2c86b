"""Every mistake at once, with file, line and what to do."""

import os
from pathlib import Path
from typing import Literal

import pytest

from vonggac.daemon import config
from vonggac.daemon.config import (
    ConfigInvalid,
    ConfigPath,
    Duration,
    MinuteOfDay,
    Section,
    Size,
    load_config,
    read_secret,
)


class Motion(Section):
    threshold: int = 3
    mode: Literal["calm", "busy"] = "calm"


class Camera(Section):
    name: str
    motion: Motion = Motion()
    data: ConfigPath = Path("x")


class Whole(Section):
    box: str
    wait: Duration = 1.0
    room: Size = 0
    at: MinuteOfDay = 0
    on: bool = False
    cameras: tuple[Camera, ...] = ()


def _load(tmp_path: Path, text: str) -> Whole:
    file = tmp_path / "edge.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, Whole)


def test_scalars_are_text_until_the_schema_decides(tmp_path):
    config = _load(
        tmp_path, "box: 0123\nat: 22:30\nwait: 2m\nroom: 1GiB\non: true\ncameras:\n  - {name: no, data: here}\n"
    )
    assert (config.box, config.at, config.wait, config.room, config.on) == ("0123", 1350, 120.0, 2**30, True)
    assert config.cameras[0].name == "no"
    assert config.cameras[0].data == tmp_path / "here"


MISTAKES = [
    ("box: a\nbax: 1", ["2: bax: unknown option. Did you mean 'box'?"]),
    ("wait: 3s", ["1: box: is missing and must be given"]),
    ("box: a\nbox: b", ["2: box: stands twice (first in line 1)"]),
    ("box: a\nwait: soon", ["2: wait: 'soon' is no duration; write 30s, 5m, 2h or 7d"]),
    ("box: a\nroom: big", ["2: room: 'big' is no size; write 500MB or 20GiB"]),
    ("box: a\nat: '25:00'", ["2: at: '25:00' is no time of day; write 22:30"]),
    ("box: a\non: perhaps", ["2: on: must be true or false, not 'perhaps'"]),
    ("box:", ["1: box: must be text and is empty"]),
    ("box: a\ncameras: gate", ["2: cameras: must be a list, not 'gate'"]),
    (
        "box: a\ncameras:\n  - name: gate\n    motion:\n      treshold: 4",
        ["5: cameras[gate].motion.treshold: unknown option. Did you mean 'threshold'?"],
    ),
    (
        "box: a\ncameras:\n  - name: gate\n    motion: {mode: clam}",
        ["4: cameras[gate].motion.mode: must be one of 'calm' or 'busy', not 'clam'. Did you mean 'calm'?"],
    ),
    (
        "box: a\ncameras:\n  - name: gate\n    motion: {threshold: 1.5}",
        ["4: cameras[gate].motion.threshold: must be a whole number, not '1.5'"],
    ),
    ("box: [a", ["1: not YAML: while parsing a flow sequence expected ',' or ']', but got '<stream end>'"]),
    (
        "box: a\ncameras: [&x {name: a}, *x]",
        [
            "2: cameras[1]: must be a section of options and is empty",
            "2: cameras[1]: repeats a section by *alias; write it out",
        ],
    ),
    (
        "bax: a\nwait: soon\non: 7\ncameras:\n  - naem: gate\n",
        [
            "1: bax: unknown option. Did you mean 'box'?",
            "1: box: is missing and must be given",
            "2: wait: 'soon' is no duration; write 30s, 5m, 2h or 7d",
            "3: on: must be true or false, not '7'",
            "5: cameras[0].naem: unknown option. Did you mean 'name'?",
            "5: cameras[0].name: is missing and must be given",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text.replace("\n", " / ")[:50] for text, _ in MISTAKES])
def test_mistakes_are_told_with_line_and_advice(tmp_path, text, expected):
    with pytest.raises(ConfigInvalid) as caught:
        _load(tmp_path, text)
    assert caught.value.lines == [f"{tmp_path}/edge.yaml:{line}" for line in expected]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"cannot be read: No such file or directory\. Give the file with --config"):
        load_config(tmp_path / "none.yaml", Whole)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "edge.yaml").write_bytes(b"box: \xff\xff")
    with pytest.raises(ConfigInvalid, match=r"edge.yaml:1: not UTF-8 text"):
        load_config(tmp_path / "edge.yaml", Whole)


def test_a_nest_of_aliases_is_refused_without_blowing_up(tmp_path):
    bomb = "a: &a [x, x]\n" + "\n".join(f"b{n}: &b{n} [{', '.join(['*a'] * 9)}]" for n in range(50))
    with pytest.raises(ConfigInvalid):
        _load(tmp_path, bomb)


def test_a_secret_is_one_line_that_nobody_else_can_read(tmp_path, monkeypatch):
    file = tmp_path / "secret"
    file.write_text("geheim\n", encoding="utf-8")
    file.chmod(0o600)
    assert read_secret(file) == "geheim"
    file.chmod(0o644)
    with pytest.raises(ConfigInvalid, match=r"open to others \(mode 0644\). Do: chmod 600"):
        read_secret(file)
    monkeypatch.setitem(os.environ, "CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(file) == "geheim"


@pytest.mark.parametrize("content", ["", "two\nlines\n"])
def test_a_secret_file_must_hold_one_line(tmp_path, content):
    file = tmp_path / "secret"
    file.write_text(content, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigInvalid, match="must hold one line"):
        read_secret(file)


def test_a_credential_is_found_by_the_service_and_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sample(Section):
        one: ConfigPath
        other: ConfigPath

    file = tmp_path / "sample.yaml"
    file.write_text("one: $CREDENTIALS_DIRECTORY/vonggac.authority\nother: ${CREDENTIALS_DIRECTORY}/b\n")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    by_hand = load_config(file, Sample)
    assert by_hand.one == Path("/etc/credstore/vonggac.authority")
    assert by_hand.other == Path("/etc/credstore/b")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/vonggac-collector.service")
    served = load_config(file, Sample)
    assert served.one == Path("/run/credentials/vonggac-collector.service/vonggac.authority")


def test_by_hand_a_credential_that_only_root_reads_asks_for_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(config, "CREDSTORE", tmp_path)
    monkeypatch.setattr(Path, "stat", refused)
    with pytest.raises(ConfigInvalid, match="Give this command with sudo"):
        read_secret(tmp_path / "vonggac.authority")
