"""The table of abuses of updates: each is refused for the stated reason, and the box keeps the release that it has.

An abuse spoils what the collector offers, or the box's own side, and returns what the updater says. All of them meet
the real updater over the real HTTPS door.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.releases.making import make_release
from collector.releases.shelf import ReleaseRefused
from collector.store import releases as store
from edge_agent.update.door import CollectorDoor, Door, DoorClosed, NoAnswer, StickDoor
from edge_agent.update.layout import Layout
from edge_agent.update.state import State
from edge_agent.update.updater import Limits, Updater
from tests.support.clock import FakeClock
from tests.support.office import NOW_MS, Holder, Office
from tests.support.releases import BOX, KEY, a_release, a_tree, offer, packed, this_target
from vonggac.daemon.signatures import public_hex
from vonggac.wire import release as wire

OLD, NEW = "1.0.0", "1.1.0"
STRANGER = Ed25519PrivateKey.generate()
Spoil = Callable[[tarfile.TarFile], None]


@dataclass
class Scene:
    """A box with 1.0.0, enrolled at an office."""

    office: Office
    holder: Holder
    folder: Path
    keys: tuple[str, ...] = (public_hex(KEY),)
    target: str = field(default_factory=this_target)
    door: Door | None = None

    @property
    def layout(self) -> Layout:
        return Layout(self.folder / "opt")

    def offered(self, **changes: Any) -> None:
        """A sound release, but for `changes` of its manifest, signed by whom boxes trust."""
        manifest = offer(self.office, a_release(self.folder, NEW))
        if changes:
            self.says(json.dumps({"v": 1, **json.loads(wire.encode_manifest(manifest)), **changes}).encode())

    def archived(self, **changes: Any) -> None:
        """The same for its archive's entry."""
        self.offered()
        found = json.loads(self.text)
        found["archives"][0] |= changes
        self.says(json.dumps(found).encode())

    def carrying(self, spoil: Spoil) -> None:
        """A rightly signed release whose archive holds something more."""
        made = self.folder / "release"
        tree = a_tree(self.folder / "tree", NEW)
        make_release(made, [packed(tree, NEW, spoil)], 2, "", NOW_MS, KEY)
        offer(self.office, made)

    @property
    def text(self) -> str:
        with self.office.database.read() as connection:
            (found,) = store.list_releases(connection)
        return found.manifest

    def says(self, manifest: bytes, signature: str | None = None, key: Ed25519PrivateKey = KEY) -> None:
        """What the collector gives out from now on, whatever it took in."""
        signature = key.sign(wire.statement(manifest)).hex() if signature is None else signature
        with self.office.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM releases")
            store.add_release(connection, NEW, manifest.decode(), signature, NOW_MS)
            store.offer(connection, NEW, "all")

    @property
    def archive(self) -> Path:
        """The file that the collector serves."""
        (found,) = (self.office.folder / "releases" / NEW).glob("*.tar.gz")
        return found

    def update(self) -> str:
        """A pass; what the updater says."""
        door = self.door or CollectorDoor(self.office.url, lambda: self.office.tls(self.holder))
        limits = Limits(0.01, 0.0, 0.01)
        clock = FakeClock()
        updater = Updater(
            self.layout,
            door,
            self.keys,
            clock,
            ["true"],
            self.target,
            2,
            limits,
            sleep=lambda s: clock.advance(s * 1000),
        )
        try:
            state: State = updater.run()
        except (NoAnswer, DoorClosed) as error:
            return f"{type(error).__name__}: {error}"
        return f"{state.step}: {state.reason}"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("office"))
    made.shelf.trust(public_hex(KEY))
    yield made
    made.close()


@pytest.fixture(scope="module")
def holder(office: Office) -> Holder:
    return office.enrol(BOX)


@pytest.fixture
def scene(office: Office, holder: Holder, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(office, holder, tmp_path)
    a_tree(made.layout.folder(OLD), OLD)
    (made.layout.root / "current").symlink_to(f"releases/{OLD}")
    yield made
    with office.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM releases")
    for left in (office.folder / "releases").glob("*.*.*"):
        if left.is_dir():
            left.rename(tmp_path / f"gone-{left.name}")


# --- manifests ---------------------------------------------------------------------------------------------------


def signed_by_a_stranger(scene: Scene) -> str:
    scene.offered()
    scene.says(scene.text.encode(), key=STRANGER)
    return scene.update()


def signed_for_something_else(scene: Scene) -> str:
    """By the right key, over the bytes alone, without what a release's signature begins with."""
    scene.offered()
    scene.says(scene.text.encode(), signature=KEY.sign(scene.text.encode()).hex())
    return scene.update()


def signature_of_another_manifest(scene: Scene) -> str:
    scene.offered()
    scene.says(scene.text.encode(), signature=KEY.sign(wire.statement(b"{}")).hex())
    return scene.update()


def signature_that_is_none(scene: Scene) -> str:
    scene.offered()
    scene.says(scene.text.encode(), signature="deadbeef")
    return scene.update()


def manifest_changed_by_a_blank(scene: Scene) -> str:
    scene.offered()
    signature = KEY.sign(wire.statement(scene.text.encode())).hex()
    scene.says(scene.text.encode() + b" ", signature=signature)
    return scene.update()


def version_raised_afterwards(scene: Scene) -> str:
    scene.offered()
    signature = KEY.sign(wire.statement(scene.text.encode())).hex()
    scene.says(scene.text.replace(NEW, "9.0.0").encode(), signature=signature)
    return scene.update()


def box_without_keys(scene: Scene) -> str:
    scene.offered()
    scene.keys = ()
    return scene.update()


def manifest_that_is_no_json(scene: Scene) -> str:
    scene.offered()
    scene.says(b"version: 1.1.0")
    return scene.update()


def manifest_of_another_kind(scene: Scene) -> str:
    scene.offered(v=2)
    return scene.update()


def version_that_leads_elsewhere(scene: Scene) -> str:
    scene.offered(version="../../../etc")
    return scene.update()


def version_with_letters(scene: Scene) -> str:
    scene.offered(version="1.1.0-beta")
    return scene.update()


def older_version(scene: Scene) -> str:
    scene.offered(version="0.9.9")
    return scene.update()


def no_archives(scene: Scene) -> str:
    scene.offered(archives=[])
    return scene.update()


def another_machine(scene: Scene) -> str:
    scene.offered()
    scene.target = "riscv64-cp313"
    return scene.update()


def outbox_that_the_old_one_cannot_read(scene: Scene) -> str:
    scene.offered(outbox=3)
    return scene.update()


def endless_notes(scene: Scene) -> str:
    scene.offered(notes="x" * 2001)
    return scene.update()


def manifest_without_end(scene: Scene) -> str:
    scene.offered()
    scene.says(json.dumps({"v": 1, "notes": "x" * 200_000}).encode())
    return scene.update()


def archive_of_no_size(scene: Scene) -> str:
    scene.archived(size_bytes=0)
    return scene.update()


def archive_larger_than_any_may_be(scene: Scene) -> str:
    scene.archived(unpacked_bytes=2**40)
    return scene.update()


def archive_name_that_leads_elsewhere(scene: Scene) -> str:
    scene.archived(file="../../identity/authority.key")
    return scene.update()


def size_that_is_true_or_false(scene: Scene) -> str:
    scene.archived(members=True)
    return scene.update()


# --- archives ----------------------------------------------------------------------------------------------------


def archive_changed_on_the_server(scene: Scene) -> str:
    scene.offered()
    data = bytearray(scene.archive.read_bytes())
    data[len(data) // 2] ^= 1
    scene.archive.write_bytes(data)
    return scene.update()


def archive_made_longer(scene: Scene) -> str:
    scene.offered()
    with scene.archive.open("ab") as file:
        file.write(bytes(4096))
    return scene.update()


def archive_cut_short(scene: Scene) -> str:
    scene.offered()
    os.truncate(scene.archive, scene.archive.stat().st_size - 100)
    return scene.update()


def archive_that_is_gone(scene: Scene) -> str:
    scene.offered()
    scene.archive.unlink()
    return scene.update()


def archive_that_is_none(scene: Scene) -> str:
    made = a_release(scene.folder, NEW)
    (file,) = made.glob("*.tar.gz")
    file.write_bytes(b"no archive at all")
    manifest = wire.parse_manifest((made / wire.MANIFEST).read_bytes())
    import hashlib

    entry = replace(
        manifest.archives[0], size_bytes=17, sha256=hashlib.sha256(b"no archive at all").hexdigest(), members=9
    )
    data = wire.encode_manifest(replace(manifest, archives=(entry,)))
    (made / wire.MANIFEST).write_bytes(data)
    (made / wire.SIGNATURE).write_text(KEY.sign(wire.statement(data)).hex())
    offer(scene.office, made)
    return scene.update()


def entry(name: str, content: bytes = b"evil", **how: Any) -> Spoil:
    def spoil(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content) if how.get("type", tarfile.REGTYPE) == tarfile.REGTYPE else 0
        for key, value in how.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(content) if info.size else None)

    return spoil


def carrying(*spoils: Spoil) -> Callable[[Scene], str]:
    def abuse(scene: Scene) -> str:
        def spoil(archive: tarfile.TarFile) -> None:
            for each in spoils:
                each(archive)

        scene.carrying(spoil)
        return scene.update()

    return abuse


def more_members_than_told(scene: Scene) -> str:
    scene.archived(members=3)
    return scene.update()


def more_bytes_than_told(scene: Scene) -> str:
    scene.archived(unpacked_bytes=100)
    return scene.update()


def no_program_in_it(scene: Scene) -> str:
    made, tree = scene.folder / "release", a_tree(scene.folder / "tree", NEW)
    (tree / "bin" / "edge-agent").unlink()
    make_release(made, [packed(tree, NEW)], 2, "", NOW_MS, KEY)
    offer(scene.office, made)
    return scene.update()


def program_of_another_version(scene: Scene) -> str:
    made = scene.folder / "release"
    make_release(made, [packed(a_tree(scene.folder / "tree", "7.7.7"), NEW)], 2, "", NOW_MS, KEY)
    offer(scene.office, made)
    return scene.update()


# --- the way -----------------------------------------------------------------------------------------------------


def collector_of_another_authority(scene: Scene) -> str:
    scene.offered()
    other = Office(scene.folder / "other")
    try:
        scene.door = CollectorDoor(other.url, lambda: scene.office.tls(scene.holder))
        return scene.update().replace(str(other.port), "PORT")
    finally:
        other.close()


def nobody_there(scene: Scene) -> str:
    scene.door = CollectorDoor("https://127.0.0.1:1", lambda: scene.office.tls(scene.holder))
    return scene.update()


def box_without_certificate(scene: Scene) -> str:
    scene.offered()
    scene.door = CollectorDoor(scene.office.url, scene.office.tls)
    return scene.update().replace(str(scene.office.port), "PORT")


def stick_with_another_archive(scene: Scene) -> str:
    made = a_release(scene.folder, NEW)
    (file,) = made.glob("*.tar.gz")
    file.write_bytes(bytes(file.stat().st_size))
    scene.door = StickDoor(made, CollectorDoor(scene.office.url, lambda: scene.office.tls(scene.holder)))
    return scene.update()


def stick_signed_by_a_stranger(scene: Scene) -> str:
    made = a_release(scene.folder, NEW, key=STRANGER)
    scene.door = StickDoor(made, CollectorDoor(scene.office.url, lambda: scene.office.tls(scene.holder)))
    return scene.update()


def stick_that_is_no_release(scene: Scene) -> str:
    scene.door = StickDoor(scene.folder, CollectorDoor(scene.office.url, lambda: scene.office.tls(scene.holder)))
    return scene.update().replace(str(scene.folder), "STICK")


UNKNOWN = "refused: the manifest is not signed by a key that this box knows"
NOT_IT = "refused: its archive is not the one of its manifest"
OUT = "leads out of the release"
LINK = tarfile.SYMTYPE
NO_VERSION = "refused: the manifest makes no sense: version: must be MAJOR.MINOR.PATCH, numbers only"
TWICE = "refused: its archive 'lib/part0.py': is in it twice"
NO_FILE = "is no file, folder or symbolic link"
ABUSES: list[tuple[Callable[[Scene], str], str]] = [
    (signed_by_a_stranger, UNKNOWN),
    (signed_for_something_else, UNKNOWN),
    (signature_of_another_manifest, UNKNOWN),
    (signature_that_is_none, "refused: the manifest's signature is no signature in hexadecimal"),
    (manifest_changed_by_a_blank, UNKNOWN),
    (version_raised_afterwards, UNKNOWN),
    (box_without_keys, "refused: this box has no release keys: it takes no updates"),
    (manifest_that_is_no_json, "refused: the manifest makes no sense: is no JSON in UTF-8"),
    (manifest_of_another_kind, "refused: the manifest makes no sense: is not of version 1"),
    (
        version_that_leads_elsewhere,
        "refused: the manifest makes no sense: version: must be MAJOR.MINOR.PATCH, numbers only",
    ),
    (version_with_letters, "refused: the manifest makes no sense: version: must be MAJOR.MINOR.PATCH, numbers only"),
    (older_version, "refused: 0.9.9 is older than 1.0.0, which runs here"),
    (no_archives, "refused: the manifest makes no sense: archives: must be one for each target, and at least one"),
    (another_machine, "refused: is not made for riscv64-cp313"),
    (
        outbox_that_the_old_one_cannot_read,
        "refused: writes outboxes of version 3, 1.0.0 reads 2: there would be no way back. "
        "Install a release between them first",
    ),
    (endless_notes, "refused: the manifest makes no sense: notes: are longer than 2000 characters"),
    (manifest_without_end, "NoAnswer: "),
    (archive_of_no_size, f"refused: the manifest makes no sense: archives: size_bytes must be from 1 to {2**30}"),
    (
        archive_larger_than_any_may_be,
        f"refused: the manifest makes no sense: archives: unpacked_bytes must be from 1 to {2**32}",
    ),
    (archive_name_that_leads_elsewhere, "refused: the manifest makes no sense: file: is none"),
    (size_that_is_true_or_false, "refused: the manifest makes no sense: members: is missing or wrong"),
    (archive_changed_on_the_server, NOT_IT),
    (archive_made_longer, "refused: the archive is longer than its manifest says"),
    (archive_cut_short, "NoAnswer: the archive broke off; it goes on at the next pass"),
    (archive_that_is_gone, "refused: "),
    (archive_that_is_none, "refused: its archive cannot be read: ReadError"),
    (carrying(entry("../evil")), f"refused: its archive '../evil': {OUT}"),
    (carrying(entry("lib/../../evil")), f"refused: its archive 'lib/../../evil': {OUT}"),
    (carrying(entry("/etc/evil")), f"refused: its archive '/etc/evil': {OUT}"),
    (carrying(entry("x" * 1025)), f"refused: its archive {'x' * 80!r}: {OUT}"),
    (
        carrying(entry("way", type=LINK, linkname="lib"), entry("way/evil")),
        "refused: its archive 'way/evil': goes through a link",
    ),
    (carrying(entry("way", type=LINK, linkname="..")), f"refused: its archive 'way': is a link that {OUT}"),
    (
        carrying(entry("lib/way", type=LINK, linkname="../../1.0.0")),
        f"refused: its archive 'lib/way': is a link that {OUT}",
    ),
    (carrying(entry("way", type=LINK, linkname="/etc")), f"refused: its archive 'way': is a link that {OUT}"),
    (
        carrying(entry("bin/python9", type=LINK, linkname="/usr/bin/python3/../sh")),
        f"refused: its archive 'bin/python9': is a link that {OUT}",
    ),
    (
        carrying(entry("passwd", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
        f"refused: its archive 'passwd': {NO_FILE}",
    ),
    (
        carrying(entry("pipe", type=tarfile.FIFOTYPE)),
        f"refused: its archive 'pipe': {NO_FILE}",
    ),
    (
        carrying(entry("sda", type=tarfile.BLKTYPE, devmajor=8)),
        f"refused: its archive 'sda': {NO_FILE}",
    ),
    (carrying(entry("lib/part0.py")), "refused: its archive 'lib/part0.py': is in it twice"),
    (
        carrying(entry("lib/part0.py", type=LINK, linkname="x")),
        "refused: its archive 'lib/part0.py': is in it twice",
    ),
    (more_members_than_told, "refused: its archive has more members than the 3 that its manifest says"),
    (more_bytes_than_told, "refused: its archive unpacks to more than the 100 bytes of its manifest"),
    (no_program_in_it, "refused: its archive holds no bin/edge-agent"),
    (program_of_another_version, "refused: calls itself 'edge-agent, version 7.7.7'"),
    (
        collector_of_another_authority,
        "DoorClosed: https://127.0.0.1:PORT: TLS fails: ",
    ),
    (nobody_there, "NoAnswer: https://127.0.0.1:1: cannot be reached (ConnectionError)"),
    (box_without_certificate, "DoorClosed: https://127.0.0.1:PORT: HTTP 401: a box's certificate is needed here"),
    (stick_with_another_archive, NOT_IT),
    (stick_signed_by_a_stranger, UNKNOWN),
    (stick_that_is_no_release, "DoorClosed: STICK/manifest.json: No such file or directory; is this a release?"),
]


@pytest.mark.parametrize(("abuse", "reason"), ABUSES, ids=lambda each: getattr(each, "__name__", None))
def test_an_abuse_is_refused_and_changes_nothing(
    abuse: Callable[[Scene], str], reason: str, scene: Scene, tmp_path: Path
) -> None:
    said = abuse(scene)
    assert said.startswith(reason) if reason.endswith(": ") else said == reason
    assert os.readlink(scene.layout.root / "current") == f"releases/{OLD}"
    assert scene.layout.version_of("proven") in (OLD, None)
    assert not list(scene.layout.releases.glob(".*")), "nothing half-made is left"
    assert not list(tmp_path.rglob("*evil*"))


def test_the_same_release_unspoilt_is_taken_to_its_probation(scene: Scene) -> None:
    """Else the table would refuse whatever came. Nobody sends heartbeats here, so that it comes back."""
    scene.offered()
    assert scene.update() == "returned: did not prove itself: no heartbeat of 1.1.0 has arrived"


def test_no_mode_beyond_the_plain_ones_is_unpacked(scene: Scene) -> None:
    scene.carrying(entry("lib/tool", mode=0o6777))
    scene.update()
    assert (scene.layout.folder(NEW) / "lib" / "tool").stat().st_mode & 0o7777 == 0o755


def test_a_download_goes_on_where_it_broke_off_and_begins_anew_where_it_was_damaged(scene: Scene) -> None:
    scene.offered()
    whole = scene.archive.read_bytes()
    manifest = wire.parse_manifest(scene.text.encode())
    door = CollectorDoor(scene.office.url, lambda: scene.office.tls(scene.holder))
    part, seen = scene.folder / "part", []
    part.write_bytes(whole[: len(whole) // 2])
    door.fetch(manifest.archives[0], part, seen.append)
    assert part.read_bytes() == whole
    assert seen[0] > len(whole) // 2
    scene.layout.make()
    (scene.layout.work / f"{manifest.archives[0].sha256}.part").write_bytes(b"torn" * 100)
    assert scene.update().startswith("returned: did not prove itself")


# --- the collector's side ----------------------------------------------------------------------------------------


def test_the_collector_takes_in_only_what_is_signed_whole_and_new(office: Office, scene: Scene) -> None:
    def refusal(release: Path) -> str:
        with pytest.raises((ReleaseRefused, OSError)) as caught:
            office.shelf.take_in(release)
        assert {each.name for each in (office.folder / "releases").iterdir()} <= {"release.keys", NEW}
        return str(caught.value)

    assert "not signed by a trusted key" in refusal(a_release(scene.folder, NEW, key=STRANGER))
    tampered = a_release(scene.folder, NEW)
    (file,) = tampered.glob("*.tar.gz")
    file.write_bytes(file.read_bytes()[:-1])
    assert "is not the archive that the manifest names" in refusal(tampered)
    file.unlink()
    assert "No such file" in refusal(tampered)
    scene.offered()
    assert "a release never changes" in refusal(a_release(scene.folder, NEW, "blind"))


def test_who_may_have_which_archive(office: Office, scene: Scene) -> None:
    scene.offered()
    sha256 = wire.parse_manifest(scene.text.encode()).archives[0].sha256

    def status(path: str, holder: Holder | None = scene.holder) -> int:
        return office.ask(path, holder=holder).status

    other = f"{int(sha256, 16) ^ 1:064x}"
    assert status(f"/release/archive/{other}") == 404
    assert status("/release/archive/..%2Fidentity%2Fauthority.key") == 404
    assert status("/release", None) == 401
    assert status(f"/release/archive/{sha256}", None) == 401
    with office.database.write() as connection:
        store.offer(connection, NEW, "first")
    assert status(f"/release/archive/{sha256}") == 404, "this box is of ring all"
    assert office.ask("/release", holder=scene.holder).json["manifest"] is None
    with office.database.write() as connection:
        store.set_ring(connection, BOX, "first")
    assert office.ask("/release", holder=scene.holder).json["manifest"] is not None
    with office.database.write() as connection:
        store.stop(connection, NEW, "thu", NOW_MS)
    assert status(f"/release/archive/{sha256}") == 404, "it was stopped"
    with office.database.write() as connection:
        store.set_ring(connection, BOX, "all")
    gone = office.enrol("box-gone")
    office.end("box-gone", "revoked")
    assert status("/release", gone) == 403
