"""What a heartbeat says of the computer: figures read from the kernel now, None where there is none to read."""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from vonggac.daemon.clock import Clock
from vonggac.daemon.files import write_durably
from vonggac.daemon.logs import get_logger
from vonggac.wire.messages import BoxHealth

log = get_logger(__name__)

_PI_FLAGS = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
_SAVE_EVERY_MS = 15 * 60_000
_SENSORS = ("cpu", "soc", "x86_pkg", "core", "k10temp", "package")


class WrittenToday:
    """Bytes this agent wrote to disk since local midnight, also over its restarts.

    The kernel counts for the process (`/proc/self/io` write_bytes); the sum of the day is kept in a small file, saved
    at most once in 15 minutes and at the end, so that measuring wear causes none. A crash forgets at most that.
    """

    def __init__(self, path: Path, clock: Clock, zone: tzinfo, counter: Callable[[], int | None]) -> None:
        self._path = path
        self._clock = clock
        self._zone = zone
        self._counter = counter
        self._last = 0
        self._saved_ms = clock.mono_ms()
        self._day, self._bytes = self._load()

    def sample(self) -> int | None:
        """Today's bytes; None where the kernel does not count."""
        now = self._counter()
        if now is None:
            return None
        today = self._today()
        if today != self._day:
            self._day, self._bytes = today, 0
        self._bytes += max(0, now - self._last)
        self._last = now
        if self._clock.mono_ms() - self._saved_ms >= _SAVE_EVERY_MS:
            self.save()
        return self._bytes

    def save(self) -> None:
        """Keep the sum for the next start; a full disk only costs the figure."""
        self._saved_ms = self._clock.mono_ms()
        try:
            write_durably(self._path, json.dumps({"day": self._day, "bytes": self._bytes}).encode())
        except OSError as error:
            log.warning("bytes written today could not be saved", reason=error.strerror)

    def _load(self) -> tuple[str, int]:
        today = self._today()
        for left in self._path.parent.glob(f".{self._path.name}.*.tmp"):  # of a crash in the middle of saving
            left.unlink(missing_ok=True)
        try:
            kept = json.loads(self._path.read_bytes())
            if kept["day"] == today and isinstance(kept["bytes"], int) and kept["bytes"] >= 0:
                return today, kept["bytes"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return today, 0

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._zone).date().isoformat()


class HostHealth:
    """Samples the computer. `root` is `/`, or a tree of the kernel's files that a test made."""

    def __init__(
        self,
        data: Path,
        clock: Clock,
        time_zone: str = "Asia/Ho_Chi_Minh",
        root: Path = Path("/"),
        changed_files: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._data = data
        self._clock = clock
        self._root = root
        self._changed_files = changed_files
        self._began_ms = int(clock.mono_ms())
        self._written = WrittenToday(data / "written.json", clock, ZoneInfo(time_zone), self._write_bytes)
        self._has_vcgencmd = root == Path("/") and Path("/dev/vcio").exists()

    def sample(self) -> BoxHealth:
        """The figures of this moment."""
        memory = self._table("proc/meminfo")
        status = self._table("proc/self/status")
        disk_total, disk_free = self._disk()
        return BoxHealth(
            uptime_ms=int(self._clock.mono_ms()),
            load_1m=self._load_1m(),
            temperature_c=self._temperature_c(),
            memory_total_bytes=memory.get("MemTotal"),
            memory_available_bytes=memory.get("MemAvailable"),
            agent_rss_bytes=status.get("VmRSS"),
            agent_cpu_s=self._cpu_s(),
            disk_total_bytes=disk_total,
            disk_free_bytes=disk_free,
            written_today_bytes=self._written.sample(),
            throttled=self.throttled(),
            run_began_mono_ms=self._began_ms,
            changed_files=self._changed_files(),
        )

    def close(self) -> None:
        """Keep what must outlive the program."""
        self._written.sample()
        self._written.save()

    # --- one figure each -----------------------------------------------------------------------------------------

    def _read(self, path: str | Path) -> str | None:
        try:
            return (self._root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def _table(self, path: str) -> dict[str, int]:
        """`Name:   123 kB` lines as bytes."""
        sizes = {}
        for line in (self._read(path) or "").splitlines():
            name, _, rest = line.partition(":")
            words = rest.split()
            if len(words) == 2 and words[1] == "kB" and words[0].isdecimal():
                sizes[name] = int(words[0]) * 1024
        return sizes

    def _load_1m(self) -> float | None:
        words = (self._read("proc/loadavg") or "").split()
        try:
            return float(words[0])
        except (IndexError, ValueError):
            return None

    def _temperature_c(self) -> float | None:
        """The processor's sensor where one says so by name, else the hottest; nonsense readings are left out."""
        named: dict[str, float] = {}
        for zone in sorted((self._root / "sys/class/thermal").glob("thermal_zone*")):
            self._note(named, self._read(zone / "type") or "", self._read(zone / "temp"))
        if not named:
            for sensor in sorted((self._root / "sys/class/hwmon").glob("hwmon*/temp*_input")):
                self._note(named, self._read(sensor.parent / "name") or "", self._read(sensor))
        processor = [value for name, value in named.items() if any(word in name for word in _SENSORS)]
        return max(processor or named.values(), default=None)

    @staticmethod
    def _note(named: dict[str, float], name: str, text: str | None) -> None:
        try:
            value = int(text or "") / 1000
        except ValueError:
            return
        if -40 < value < 150 and value != 0:
            name = name.lower()
            named[name] = max(value, named.get(name, value))

    def _disk(self) -> tuple[int | None, int | None]:
        try:
            disk = os.statvfs(self._data)
        except OSError:
            return None, None
        return disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize

    def _cpu_s(self) -> float | None:
        """User and system time of all threads, by `/proc/self/stat`; its second field may hold spaces."""
        fields = (self._read("proc/self/stat") or "").rpartition(")")[2].split()
        try:
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (IndexError, ValueError):
            return None

    def _write_bytes(self) -> int | None:
        for line in (self._read("proc/self/io") or "").splitlines():
            name, _, value = line.partition(":")
            if name == "write_bytes" and value.strip().isdecimal():
                return int(value)
        return None

    def throttled(self) -> int | None:
        """A Pi's flags: bit 0 under-voltage now, 2 throttled now, 16 and 18 the same since boot."""
        text = self._read(_PI_FLAGS)
        if text is None and self._has_vcgencmd:
            text = _vcgencmd()
        try:
            return int(text.removeprefix("throttled=").removeprefix("0x"), 16) if text else None
        except ValueError:
            return None


def _vcgencmd() -> str | None:
    try:
        return subprocess.run(
            ["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=2, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
