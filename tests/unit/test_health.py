"""The heartbeat's figures come from the kernel's files, and are None where those say nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.health import HostHealth
from tests.support.clock import FakeClock
from vonggac.daemon.clock import SystemClock
from vonggac.wire.messages import BoxHealth

STAT = "77 (edge agent) S) S 1 77 77 0 -1 4194560 900 0 3 0 250 150 0 0 20 0 9 0 100 1 2"
FILES = {
    "proc/meminfo": "MemTotal:   3884448 kB\nMemFree:  100000 kB\nMemAvailable: 2100000 kB\nHugePages_Total:  0\n",
    "proc/loadavg": "0.42 0.30 0.25 1/234 5678\n",
    "proc/self/status": "Name:\tedge-agent\nVmPeak:\t  999999 kB\nVmRSS:\t  123456 kB\nThreads:\t9\n",
    "proc/self/stat": STAT,
    "proc/self/io": "rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 40960\ncancelled_write_bytes: 0\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "51540\n",
    "sys/class/thermal/thermal_zone1/type": "acpitz\n",
    "sys/class/thermal/thermal_zone1/temp": "66000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def health(tmp_path: Path, files: dict[str, str], clock: FakeClock | None = None) -> HostHealth:
    (tmp_path / "data").mkdir(exist_ok=True)
    return HostHealth(tmp_path / "data", clock or FakeClock(), root=tree(tmp_path / "root", files))


def test_every_figure_is_what_the_kernel_says(tmp_path: Path) -> None:
    sample = health(tmp_path, FILES).sample()
    assert sample.uptime_ms == 1_000_000
    assert sample.load_1m == 0.42
    assert sample.temperature_c == 51.54
    assert sample.memory_total_bytes == 3884448 * 1024
    assert sample.memory_available_bytes == 2100000 * 1024
    assert sample.agent_rss_bytes == 123456 * 1024
    assert sample.agent_cpu_s == 4.0
    assert sample.written_today_bytes == 40960
    assert sample.throttled == 0x50005
    assert sample.disk_total_bytes is not None
    assert sample.disk_free_bytes is not None
    assert 0 < sample.disk_free_bytes < sample.disk_total_bytes


def test_what_cannot_be_read_is_unknown_and_never_zero(tmp_path: Path) -> None:
    host = HostHealth(tmp_path / "gone", FakeClock(), root=tmp_path / "empty")
    assert host.sample() == BoxHealth(uptime_ms=1_000_000, run_began_mono_ms=1_000_000)


NONSENSE: list[tuple[str, str, Callable[[BoxHealth], object]]] = [
    ("proc/loadavg", "", lambda sample: sample.load_1m),
    ("proc/loadavg", "high", lambda sample: sample.load_1m),
    ("proc/self/stat", "77 (x) S", lambda sample: sample.agent_cpu_s),
    ("proc/self/io", "write_bytes: many", lambda sample: sample.written_today_bytes),
    ("proc/meminfo", "MemTotal: lots kB", lambda sample: sample.memory_total_bytes),
    ("sys/devices/platform/soc/soc:firmware/get_throttled", "yes", lambda sample: sample.throttled),
]


@pytest.mark.parametrize(("name", "text", "figure"), NONSENSE)
def test_nonsense_is_unknown(tmp_path: Path, name: str, text: str, figure: Callable[[BoxHealth], object]) -> None:
    assert figure(health(tmp_path, {**FILES, name: text}).sample()) is None


@pytest.mark.parametrize(
    ("files", "temperature_c"),
    [
        ({"sys/class/thermal/thermal_zone0/type": "acpitz", "sys/class/thermal/thermal_zone0/temp": "31000"}, 31.0),
        ({"sys/class/thermal/thermal_zone0/type": "cpu", "sys/class/thermal/thermal_zone0/temp": "0"}, None),
        ({"sys/class/thermal/thermal_zone0/type": "cpu", "sys/class/thermal/thermal_zone0/temp": "-274000"}, None),
        ({"sys/class/hwmon/hwmon1/name": "coretemp", "sys/class/hwmon/hwmon1/temp2_input": "48000"}, 48.0),
    ],
)
def test_the_processors_sensor_is_found_where_there_is_one(
    tmp_path: Path, files: dict[str, str], temperature_c: float | None
) -> None:
    assert health(tmp_path, files).sample().temperature_c == temperature_c


def test_bytes_written_add_up_over_restarts_and_begin_anew_at_local_midnight(tmp_path: Path) -> None:
    clock = FakeClock(wall_ms=1_790_000_000_000)  # 2026-09-21 21:13 in Viet Nam
    first = health(tmp_path, FILES, clock)
    assert first.sample().written_today_bytes == 40960
    first.close()
    again = health(tmp_path, {**FILES, "proc/self/io": "write_bytes: 1000"}, clock)
    assert again.sample().written_today_bytes == 41960
    tree(tmp_path / "root", {"proc/self/io": "write_bytes: 1500"})
    clock.advance(2 * 3_600_000)
    assert again.sample().written_today_bytes == 42460
    tree(tmp_path / "root", {"proc/self/io": "write_bytes: 1700"})
    clock.advance(3_600_000)
    assert again.sample().written_today_bytes == 200


def test_measuring_wear_causes_none(tmp_path: Path) -> None:
    clock = FakeClock()
    host = health(tmp_path, FILES, clock)
    for _ in range(29):
        host.sample()
        clock.advance(30_000)
    assert list((tmp_path / "data").iterdir()) == []
    clock.advance(60_000)
    host.sample()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["written.json"]


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"day": 1}', '{"day": "2026-09-21", "bytes": "many"}'])
def test_a_damaged_sum_begins_anew(tmp_path: Path, kept: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "written.json").write_text(kept)
    assert health(tmp_path, FILES).sample().written_today_bytes == 40960


def test_this_machine_gives_figures(tmp_path: Path) -> None:
    sample = HostHealth(tmp_path, SystemClock()).sample()
    assert sample.agent_rss_bytes is not None
    assert 5_000_000 < sample.agent_rss_bytes < 2_000_000_000
    assert sample.agent_cpu_s is not None
    assert sample.agent_cpu_s > 0


def test_what_a_crash_in_the_middle_of_saving_left_goes(tmp_path: Path) -> None:
    (tmp_path / ".written.json.4711.tmp").write_bytes(b"{")
    HostHealth(tmp_path, FakeClock()).close()
    assert [path.name for path in tmp_path.iterdir()] == ["written.json"]
