"""One pass of an update: finish what was interrupted, ask what is wanted, take it, watch it, keep it or take it back.

Rules (docs/design/updates.md numbers the steps): nothing is read of a manifest before its signature is found to be of a
pinned key; the plan of a probation is on the disk before `current` is switched, the reason of a return before it is
switched back; `proven` moves only once the release has passed; whatever step a power cut hits, the next pass ends on a
release that works.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from edge_agent.update.archive import ArchiveRefused, unpack
from edge_agent.update.door import Door, DoorClosed, NoAnswer
from edge_agent.update.layout import PROGRAM, Layout
from edge_agent.update.state import State, Try, read_state, write_state
from edge_agent.update.verdict import Trial, missing, seen_before
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.files import remove_durably
from vonggac.daemon.logs import get_logger
from vonggac.daemon.signatures import signer_of
from vonggac.wire import release as wire

log = get_logger(__name__)

MOST_WATCHES = 2
"""How often a probation is watched from its beginning: a release that cuts the power itself must not do so for ever."""
MOST_TRIES = 2
HOUR_MS = 3_600_000
_KEEP = 1
_SPARE_BYTES = 256 * 2**20
_STARTS_WITHIN_S = 60.0
_COMPILES_WITHIN_S = 600.0


class Refused(Exception):
    """This release is not taken: the text says why. `again`: in an hour it may be."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


class CannotUpdate(Exception):
    """A person must mend something on this box: the text says what."""


@dataclass(frozen=True)
class Limits:
    """Seconds. `probation_s` from a switch to the return; `steady_s` for which a run must have lasted by then."""

    probation_s: float = 180.0
    steady_s: float = 60.0
    poll_s: float = 5.0


class Updater:
    """`restart` is the command that starts the agent anew; `target` and `outbox` say what fits this box."""

    def __init__(
        self,
        layout: Layout,
        door: Door,
        keys: Sequence[str],
        clock: Clock,
        restart: Sequence[str],
        target: str,
        outbox: int,
        limits: Limits,
        *,
        again: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._layout = layout
        self._door = door
        self._keys = keys
        self._clock = clock
        self._restart = restart
        self._target = target
        self._outbox = outbox
        self._limits = limits
        self._again = again
        self._sleep = sleep
        self._state = State()

    def run(self) -> State:
        """The pass; returns what is now. Raises CannotUpdate, NoAnswer, DoorClosed, OSError."""
        self._layout.make()
        with _alone(self._layout.work):
            self._state = read_state(self._layout.work)
            if not self._settle():
                self._look()
            return self._state

    # --- finishing what was interrupted --------------------------------------------------------------------------

    def _settle(self) -> bool:
        """Bring the links to where they belong; True when that was a probation's end, which is enough for a pass."""
        current, proven = self._layout.version_of("current"), self._layout.version_of("proven")
        if current is None and proven is None:
            raise CannotUpdate(f"{self._layout.root}: neither current nor proven names a release. Install the package")
        if proven is None and current is not None:
            self._layout.switch("proven", current)
            proven = current
        assert proven is not None  # noqa: S101 - one of the two is there
        state = self._state
        if current == proven:
            if state.step == "returning":
                self._restart_agent()
                self._note("returned")
                return True
            if state.step == "probation" and state.target == proven:
                self._note("done", reason=None)
                return True
            if state.step in ("probation", "fetching", "unpacking"):
                self._note("idle", target=None, percent=None)
            return False
        if state.step == "probation" and state.target == current and state.watches < MOST_WATCHES:
            self._watch()
        elif state.step == "returning":
            self._return(state.reason or "its probation was interrupted")
        elif state.step == "probation" and state.target == current:
            self._return(f"was interrupted {state.watches} times during its probation", lasting=True)
        else:
            self._return("its probation was interrupted, and how far it was is not known")
        return True

    # --- taking a release ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        answer = self._door.ask()
        self._layout.prune(_KEEP)
        if answer.manifest is None or answer.signature is None:
            return
        proven = self._layout.version_of("proven")
        assert proven is not None  # noqa: S101 - settled
        sha256 = hashlib.sha256(answer.manifest.encode()).hexdigest()
        if not self._is_due(sha256, answer.now_ms):
            return
        manifest: wire.Manifest | None = None
        try:
            manifest = self._signed(answer)
            if manifest.version == proven:
                return
            archive = self._fitting(manifest, proven)
            log.info("update begins", version=manifest.version, runs=proven)
            self._note("fetching", target=manifest.version, reason=None, percent=0, manifest=sha256, watches=0)
            packed = self._fetch(archive)
            self._unpack(packed, manifest.version, archive)
            self._try_out(manifest.version)
        except Refused as refused:
            self._refuse(
                str(refused), None if manifest is None else manifest.version, sha256, answer.now_ms, refused.again
            )
            return
        reach("update.placed")
        heard = self._door.ask()
        self._note(
            "probation", percent=None, cameras=seen_before(heard.heard), began_ms=heard.now_ms, watches=0, reason=None
        )
        reach("update.noted")
        self._layout.switch("current", manifest.version)
        reach("update.switched")
        self._watch()

    def _is_due(self, sha256: str, now_ms: int) -> bool:
        tried = self._state.tries.get(sha256)
        return self._again or tried is None or (tried.again_ms is not None and now_ms >= tried.again_ms)

    def _signed(self, answer: wire.Answer) -> wire.Manifest:
        if not self._keys:
            raise Refused("this box has no release keys: it takes no updates", again=True)
        data = (answer.manifest or "").encode()
        try:
            signature = wire.parse_signature((answer.signature or "").encode())
        except ValueError as error:
            raise Refused(f"the manifest's signature {error}") from None
        if signer_of(wire.statement(data), signature, self._keys) is None:
            raise Refused("the manifest is not signed by a key that this box knows", again=True)
        try:
            return wire.parse_manifest(data)
        except ValueError as error:
            raise Refused(f"the manifest makes no sense: {error}") from None

    def _fitting(self, manifest: wire.Manifest, proven: str) -> wire.Archive:
        if wire.version_key(manifest.version) < wire.version_key(proven):
            raise Refused(f"{manifest.version} is older than {proven}, which runs here")
        if manifest.outbox > self._outbox:
            raise Refused(
                f"writes outboxes of version {manifest.outbox}, {proven} reads {self._outbox}: there would be no way "
                "back. Install a release between them first"
            )
        archive = manifest.archive_for(self._target)
        if archive is None:
            raise Refused(f"is not made for {self._target}")
        free = shutil.disk_usage(self._layout.root).free
        needed = archive.size_bytes + archive.unpacked_bytes + _SPARE_BYTES
        if free < needed:
            raise Refused(f"needs {needed // 2**20} MiB of the disk, {free // 2**20} MiB are free", again=True)
        return archive

    def _fetch(self, archive: wire.Archive) -> Path:
        """The archive, whole and with the right hash; one that is damaged is fetched anew once."""
        part = self._layout.work / f"{archive.sha256}.part"
        self._layout.clear_work(keep=part)
        for _turn in range(2):
            try:
                self._door.fetch(archive, part, self._progress(archive.size_bytes))
            except DoorClosed as error:
                part.unlink(missing_ok=True)
                raise Refused(str(error), again=True) from None
            if part.stat().st_size < archive.size_bytes:
                raise NoAnswer("the archive broke off; it goes on at the next pass")
            with part.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == archive.sha256:
                    reach("update.fetched")
                    return part
            log.warning("archive is damaged; fetching it anew", version=self._state.target)
            remove_durably(part)
        raise Refused("its archive is not the one of its manifest", again=True)

    def _progress(self, size_bytes: int) -> Callable[[int], None]:
        def tell(there: int) -> None:
            percent = there * 10 // size_bytes * 10
            if percent != self._state.percent:
                self._note("fetching", percent=percent)

        return tell

    def _unpack(self, packed: Path, version: str, archive: wire.Archive) -> None:
        self._note("unpacking", percent=None)
        half = self._layout.half(version)
        shutil.rmtree(half, ignore_errors=True)
        try:
            unpack(packed, half, archive, PROGRAM)
        except ArchiveRefused as error:
            shutil.rmtree(half, ignore_errors=True)
            packed.unlink(missing_ok=True)
            raise Refused(f"its archive {error}") from None
        _compile(half)
        reach("update.unpacked")
        if self._layout.folder(version).exists():
            self._layout.remove(version)
        self._layout.place(half, version)

    def _try_out(self, version: str) -> None:
        """The program starts and says who it is."""
        command = [str(self._layout.folder(version) / PROGRAM), "--version"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_STARTS_WITHIN_S, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            raise Refused(f"does not start: {type(error).__name__}") from None
        if done.returncode != 0:
            raise Refused(f"does not start: exit code {done.returncode}")
        if version not in done.stdout.split():
            raise Refused(f"calls itself {done.stdout.strip()[:60]!r}")

    def _refuse(self, text: str, version: str | None, sha256: str, now_ms: int, again: bool) -> None:
        log.error("update refused", version=version, reason=text)
        tried = Try(1, now_ms + HOUR_MS if again else None)
        self._note(
            "refused", target=version, reason=text, percent=None, tries={**_newest(self._state.tries), sha256: tried}
        )

    # --- probation -----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Start the agent anew and wait until the collector has heard what it must."""
        version = self._state.target
        assert version is not None  # noqa: S101 - a probation is of a release
        self._note("probation", watches=self._state.watches + 1)
        self._restart_agent()
        reach("update.restarted")
        trial = Trial(version, self._state.cameras, self._state.began_ms, round(self._limits.steady_s * 1000))
        ends_ms = self._clock.mono_ms() + self._limits.probation_s * 1000
        answered_ms = float("-inf")
        lacking = f"no heartbeat of {version} has arrived"
        while self._clock.mono_ms() < ends_ms:
            try:
                found = missing(trial, self._door.ask().heard)
                answered_ms = self._clock.mono_ms()
            except (NoAnswer, DoorClosed) as error:
                log.warning("collector not asked", reason=str(error))
            else:
                if found is None:
                    self._keep(version)
                    return
                lacking = found
            reach("update.watching")
            self._sleep(self._limits.poll_s)
        is_line = self._clock.mono_ms() - answered_ms > 1000 * max(60.0, 3 * self._limits.poll_s)
        self._return(
            "the collector could not be asked whether it works" if is_line else f"did not prove itself: {lacking}",
            lasting=not is_line,
        )

    def _keep(self, version: str) -> None:
        command = [str(self._layout.folder(version) / PROGRAM), "update", "--help"]
        try:  # the next updater is this one's: it must at least start
            subprocess.run(command, capture_output=True, timeout=_STARTS_WITHIN_S, check=True)
        except (OSError, subprocess.SubprocessError):
            self._return("its own updater does not start", lasting=True)
            return
        reach("update.passed")
        self._layout.switch("proven", version)
        reach("update.proven")
        self._note("done", reason=None)
        log.info("update done", version=version)
        self._layout.clear_work()
        self._layout.prune(_KEEP)

    def _return(self, reason: str, *, lasting: bool = False) -> None:
        """Back to what was proven. After two lasting failures this manifest is not tried again."""
        proven = self._layout.version_of("proven")
        assert proven is not None  # noqa: S101 - settled
        tries = _newest(self._state.tries)
        if self._state.step == "probation" and self._state.manifest is not None:
            count = tries[self._state.manifest].count if self._state.manifest in tries else 0
            count += lasting
            wait_ms = 24 * HOUR_MS if lasting else HOUR_MS
            again_ms = None if count >= MOST_TRIES else self._state.began_ms + wait_ms
            tries[self._state.manifest] = Try(count, again_ms)
        log.error("update taken back", version=self._state.target, back_to=proven, reason=reason)
        self._note("returning", reason=reason, tries=tries)
        reach("update.returning")
        self._layout.switch("current", proven)
        reach("update.returned")
        self._restart_agent()
        reach("update.back")
        self._note("returned")
        self._layout.clear_work()

    # --- small things --------------------------------------------------------------------------------------------

    def _restart_agent(self) -> None:
        try:
            done = subprocess.run(list(self._restart), capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            _give_up(f"{' '.join(self._restart)}: does not end")
        if done.returncode != 0:
            _give_up(f"{' '.join(self._restart)}: {done.stderr.strip()[:200] or f'exit code {done.returncode}'}")

    def _note(self, step: str, **changes: object) -> None:
        self._state = self._state.changed(step=step, since_ms=self._clock.wall_ms(), **changes)
        write_state(self._layout.work, self._state)


def _compile(tree: Path) -> None:
    """The agent may not write there: without this it would compile itself anew at every start."""
    if (tree / "bin" / "python").exists() and (tree / "lib").is_dir():
        command = [str(tree / "bin" / "python"), "-I", "-m", "compileall", "-q", str(tree / "lib")]
        try:
            subprocess.run(command, capture_output=True, timeout=_COMPILES_WITHIN_S, check=False)
        except subprocess.TimeoutExpired:
            log.warning("compiling took too long: the release starts more slowly", within_s=_COMPILES_WITHIN_S)


def _give_up(text: str) -> NoReturn:
    raise CannotUpdate(text)


def _newest(tries: dict[str, Try]) -> dict[str, Try]:
    """As many as are worth remembering."""
    return dict(list(tries.items())[-20:])


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """One updater at a time. Raises CannotUpdate."""
    descriptor = os.open(work / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _give_up("another update is under way; see edge-agent update --status")
        yield
    finally:
        os.close(descriptor)
