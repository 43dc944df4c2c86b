"""A program that is not as it was released is found, and nothing else is."""

import hashlib
from pathlib import Path

import pytest

from edge_agent.software import EVERY_S, FIRST_S, Software
from edge_agent.update.layout import Layout
from tests.support.clock import FakeClock
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire.release import SUMS, read_sums, write_sums

FILES = {"bin/edge-agent": b"#!/usr/bin/python3\n", "lib/part.py": b"x = 1\n", "lib/empty.py": b""}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    (tmp_path / SUMS).write_text(write_sums(sums), encoding="utf-8")
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/python3")
    (tmp_path / "lib" / "__pycache__").mkdir()
    (tmp_path / "lib" / "__pycache__" / "part.cpython-313.pyc").write_bytes(b"made here")
    return tmp_path


def changed(release: Path) -> int | None:
    software = Software(release, FakeClock(), Stop(), pause=lambda _seconds: None)
    software.look(release, Pulse("software", 60.0))
    return software.changed


def test_a_release_as_it_was_made_has_nothing_changed(release: Path) -> None:
    assert changed(release) == 0


def test_a_release_that_an_update_brought_has_nothing_changed(
    release: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    layout = Layout(tmp_path_factory.mktemp("opt"))
    layout.make()
    layout.place(release, "1.1.0")
    assert changed(layout.folder("1.1.0")) == 0


def test_what_was_altered_taken_away_or_added_counts(release: Path) -> None:
    (release / "lib" / "part.py").write_bytes(b"x = 2\n")
    assert changed(release) == 1
    (release / "lib" / "empty.py").unlink()
    assert changed(release) == 2
    (release / "lib" / "sitecustomize.py").write_bytes(b"import os\n")
    assert changed(release) == 3


def test_a_file_put_in_the_place_of_a_link_counts(release: Path) -> None:
    (release / "bin" / "python").unlink()
    (release / "bin" / "python").write_bytes(b"\x7fELF")
    assert changed(release) == 1


@pytest.mark.parametrize("spoilt", [b"no list\n", b"\xff\xfe\n", None], ids=["torn", "no text", "gone"])
def test_a_list_that_cannot_be_read_counts_too(release: Path, spoilt: bytes | None) -> None:
    if spoilt is None:
        (release / SUMS).unlink()
    else:
        (release / SUMS).write_bytes(spoilt)
    assert changed(release) == 1


def test_a_program_from_anywhere_else_is_not_judged() -> None:
    software = Software(None, FakeClock(), Stop())
    software.run(Pulse("software", 60.0))
    assert software.changed is None


def test_an_end_in_the_middle_says_nothing(release: Path) -> None:
    stop = Stop()
    software = Software(release, FakeClock(), stop, pause=lambda _seconds: stop.set("end"))
    software.look(release, Pulse("software", 60.0))
    assert software.changed is None


class Hours(Stop):
    """Waiting turns the clock on; ends after `hours`."""

    def __init__(self, clock: FakeClock, hours: float) -> None:
        super().__init__()
        self._clock, self._until = clock, clock.mono_ms() + hours * 3_600_000

    def wait(self, seconds: float | None) -> bool:
        assert seconds is not None
        self._clock.advance(seconds * 1000)
        return self._clock.mono_ms() >= self._until


def test_it_looks_soon_after_the_start_and_then_once_a_day(release: Path) -> None:
    clock = FakeClock()
    began_ms = clock.mono_ms()
    looked = []

    class Watched(Software):
        def look(self, root: Path, pulse: Pulse) -> None:
            looked.append((clock.mono_ms() - began_ms) / 1000)

    Watched(release, clock, Hours(clock, 25)).run(Pulse("software", 60.0))
    assert looked == [pytest.approx(FIRST_S, abs=15), pytest.approx(FIRST_S + EVERY_S, abs=30)]


def test_the_list_is_read_as_it_was_written() -> None:
    sums = {"a b/ü.py": "0" * 64, "c": "f" * 64}
    assert read_sums(write_sums(sums)) == sums
    with pytest.raises(ValueError, match="line 2"):
        read_sums(write_sums(sums)[:-10].replace("f" * 64, "f" * 63))
