"""Clips over HTTP, by the library that boxes use and by raw requests: whole once, or refused for a reason."""

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from tusclient.client import TusClient

from collector.ingest.clip_store import ClipStore, DiskFull, HashWrong
from collector.store import clips
from tests.integration.collector.conftest import MAX_CLIP, Endpoint
from tests.support import messages as sample
from tests.support.clock import FakeClock
from tests.support.collector import NOW_MS, SECRET, Station, arrived
from tests.support.system import wait_for
from vonggac.wire import messages as m

BOX = sample.BOX
CLIP = "01998f00-1000-7000-8000-00000000c11b"
DATA = bytes(range(256)) * 5000
SHA = hashlib.sha256(DATA).hexdigest()
LOGIN = "Basic " + base64.b64encode(f"{BOX}:{SECRET}".encode()).decode()
OTHER_LOGIN = "Basic " + base64.b64encode(f"tram-y-te-02:{SECRET}".encode()).decode()
HEADERS = {"Tus-Resumable": "1.0.0", "Authorization": LOGIN}


def metadata(**fields: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in fields.items())


def create(endpoint: Endpoint, size: int = len(DATA), sha256: str = SHA, **changes: str) -> requests.Response:
    fields = {"clip": CLIP, "sha256": sha256, "camera": "gate"} | {
        key: value for key, value in changes.items() if key in ("clip", "camera")
    }
    headers = HEADERS | {"Upload-Length": str(size), "Upload-Metadata": metadata(**fields)}
    headers |= {key: value for key, value in changes.items() if key not in fields}
    return requests.post(endpoint.url, headers=headers, timeout=10)


def patch(endpoint: Endpoint, offset: int, data: bytes, clip: str = CLIP, **changes: str) -> requests.Response:
    headers = HEADERS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"} | changes
    return requests.patch(endpoint.url + clip, headers=headers, data=data, timeout=20)


def head(endpoint: Endpoint, clip: str = CLIP, **changes: str) -> requests.Response:
    return requests.head(endpoint.url + clip, headers=HEADERS | changes, timeout=10)


def files(station: Station) -> list[Path]:
    return sorted(path for path in station.data.rglob("*") if path.is_file())


def assert_stored_once(endpoint: Endpoint) -> None:
    station = endpoint.station
    [path] = files(station)
    assert path.read_bytes() == DATA
    row = ("stored", str(path.relative_to(station.data)), SHA, len(DATA))
    assert station.rows_of("SELECT state, path, sha256, size_bytes FROM clips") == [row]
    assert station.count("uploads") == 0
    assert (BOX, SHA) in endpoint.owed


def announce(station: Station, sha256: str = SHA, size: int = len(DATA), box: str = BOX) -> None:
    body = m.ClipReady(
        clip=CLIP, episode=sample.EPISODE, camera="gate", sha256=sha256, size_bytes=size,
        first_frame_ms=NOW_MS, duration_ms=9000, codec="h264", width=1920, height=1080,
    )  # fmt: skip
    station.intake.take([arrived(body, 1, box=box)])


def test_tuspy_brings_a_clip_whole(endpoint: Endpoint, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(DATA)
    client = TusClient(endpoint.url, headers={"Authorization": LOGIN})
    uploader = client.uploader(str(source), chunk_size=300_000, metadata={"clip": CLIP, "sha256": SHA})
    uploader.upload()
    assert_stored_once(endpoint)
    assert endpoint.owed == [(BOX, SHA)]


@pytest.mark.parametrize("event_first", [True, False], ids=["the event first", "the bytes first"])
def test_event_and_bytes_meet_in_either_order(endpoint: Endpoint, event_first: bool) -> None:
    if event_first:
        announce(endpoint.station)
    create(endpoint)
    assert patch(endpoint, 0, DATA).status_code == 204
    if not event_first:
        announce(endpoint.station)
    assert_stored_once(endpoint)
    columns = "SELECT state, camera, episode, codec FROM clips"
    assert endpoint.station.rows_of(columns) == [("stored", f"{BOX}/gate", sample.EPISODE, "h264")]


@contextmanager
def sending(endpoint: Endpoint) -> Iterator[None]:
    """A connection that has sent 700,001 bytes of a PATCH, some of them on the disk by now, and sends no more."""
    host, port = endpoint.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as road:
        request = (
            f"PATCH /upload/{CLIP} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nAuthorization: {LOGIN}\r\n"
            f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: {len(DATA)}\r\n\r\n"
        )
        road.sendall(request.encode() + DATA[:700_001])
        part = endpoint.station.data / f"uploads/{BOX}.{CLIP}.part"
        wait_for(lambda: part.exists() and part.stat().st_size > 0, "the first bytes on the disk")
        yield


def test_an_upload_goes_on_where_it_was_cut(endpoint: Endpoint) -> None:
    assert create(endpoint).headers["Upload-Offset"] == "0"
    with sending(endpoint):
        pass
    offset = int(head(endpoint).headers["Upload-Offset"])
    assert 0 < offset <= 700_001
    assert create(endpoint).headers["Upload-Offset"] == str(offset)
    assert patch(endpoint, offset, DATA[offset:]).headers["Upload-Offset"] == str(len(DATA))
    assert_stored_once(endpoint)


def test_a_stalled_connection_gives_way_to_the_next(endpoint: Endpoint) -> None:
    create(endpoint)
    with sending(endpoint):
        offset = int(head(endpoint).headers["Upload-Offset"])
        assert patch(endpoint, offset, DATA[offset:]).status_code == 204
    assert_stored_once(endpoint)


def test_the_same_clip_twice_is_one_file_and_two_receipts(endpoint: Endpoint) -> None:
    create(endpoint)
    patch(endpoint, 0, DATA)
    again = create(endpoint)
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, str(len(DATA)))
    assert head(endpoint).headers["Upload-Offset"] == str(len(DATA))
    assert_stored_once(endpoint)
    assert endpoint.owed == [(BOX, SHA)] * 2


def test_two_at_once_make_one_whole_clip(endpoint: Endpoint) -> None:
    create(endpoint)
    answers: list[int] = []

    def send() -> None:
        for _try in range(50):
            offset = int(head(endpoint).headers["Upload-Offset"])
            if offset == len(DATA):
                return
            answers.append(patch(endpoint, offset, DATA[offset : offset + 200_000]).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(answers) <= {204, 409, 423}
    assert_stored_once(endpoint)


def test_wrong_bytes_may_be_sent_anew_once_and_are_then_refused(endpoint: Endpoint) -> None:
    wrong = bytes(len(DATA))
    for status in (409, 460, 460):
        create(endpoint)
        assert patch(endpoint, 0, wrong).status_code == status
        assert head(endpoint).status_code == 404
    assert files(endpoint.station) == []
    assert endpoint.station.counters() == {"uploads_wrong_hash": 3}
    create(endpoint)
    patch(endpoint, 0, DATA)
    assert_stored_once(endpoint)


def test_more_bytes_than_announced_are_refused_and_gone(endpoint: Endpoint) -> None:
    create(endpoint, size=1000)
    assert patch(endpoint, 0, DATA).status_code == 413
    assert files(endpoint.station) == []
    assert head(endpoint).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Basic !!!"}, 401),
        ({"Authorization": "Basic " + base64.b64encode(f"{BOX}:wrong".encode()).decode()}, 401),
        ({"Authorization": "Basic " + base64.b64encode(f"nobody:{SECRET}".encode()).decode()}, 401),
        ({"Tus-Resumable": "0.2"}, 412),
        ({"Upload-Length": str(MAX_CLIP + 1)}, 413),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "x"}, 400),
        ({"clip": "../../../etc/cron.d/x"}, 400),
        ({"clip": CLIP.upper()}, 400),
        ({"camera": "../x"}, 400),
        ({"Upload-Metadata": "clip ###"}, 400),
        ({"Upload-Metadata": metadata(clip=CLIP, sha256="../x")}, 400),
    ],
)
def test_what_is_wrong_is_refused_before_a_byte_is_taken(
    endpoint: Endpoint, changes: dict[str, str], status: int
) -> None:
    assert create(endpoint, **changes).status_code == status
    assert files(endpoint.station) == []
    assert endpoint.station.count("uploads") == 0


@pytest.mark.parametrize("path", ["../clips/x", "..%2f..%2fetc%2fpasswd", "x", CLIP + "/x", "%00"])
def test_no_path_leads_out_of_the_uploads(endpoint: Endpoint, path: str) -> None:
    assert requests.head(endpoint.url + path, headers=HEADERS, timeout=10).status_code == 404
    assert patch(endpoint, 0, b"x", clip=path).status_code == 404


def test_a_box_that_was_removed_may_not_upload(endpoint: Endpoint) -> None:
    endpoint.station.remove(BOX)
    assert create(endpoint).status_code == 401


def test_a_box_sees_and_changes_only_its_own_uploads(endpoint: Endpoint) -> None:
    create(endpoint)
    assert head(endpoint, Authorization=OTHER_LOGIN).status_code == 404
    assert patch(endpoint, 0, DATA, Authorization=OTHER_LOGIN).status_code == 404
    patch(endpoint, 0, DATA)
    assert create(endpoint, Authorization=OTHER_LOGIN).status_code == 422
    assert_stored_once(endpoint)


def test_an_upload_that_contradicts_its_announcement_is_refused(endpoint: Endpoint) -> None:
    announce(endpoint.station, sha256="0" * 64)
    assert create(endpoint).status_code == 422


def test_a_wrong_offset_is_told_the_right_one(endpoint: Endpoint) -> None:
    create(endpoint)
    answer = patch(endpoint, 5, DATA[5:])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "0")


def test_an_upload_can_be_given_up(endpoint: Endpoint) -> None:
    create(endpoint)
    patch(endpoint, 0, DATA[:100])
    assert requests.delete(endpoint.url + CLIP, headers=HEADERS, timeout=10).status_code == 204
    assert head(endpoint).status_code == 404
    assert files(endpoint.station) == []


def test_a_full_disk_says_when_to_come_again(station: Station) -> None:
    endpoint = Endpoint(station, reserve_bytes=2**62)
    try:
        answer = create(endpoint)
        assert (answer.status_code, answer.headers["Retry-After"]) == (507, "60")
    finally:
        endpoint.close()


# --- after a crash ------------------------------------------------------------------------------------------------


def restarted(station: Station) -> ClipStore:
    store = ClipStore(station.database, station.data, FakeClock(NOW_MS), lambda _box, _sha256: None)
    store.recover()
    return store


def begun(station: Station, data: bytes) -> clips.Upload:
    store = ClipStore(station.database, station.data, FakeClock(NOW_MS), lambda _box, _sha256: None)
    store.begin(BOX, CLIP, "gate", SHA, len(DATA))
    upload = store.find(BOX, CLIP)
    assert isinstance(upload, clips.Upload)
    store.append(upload, 0, data)
    return upload


def test_a_crash_before_the_rename_loses_nothing(station: Station) -> None:
    begun(station, DATA)
    restarted(station)
    assert station.rows_of("SELECT state FROM clips") == [("stored",)]


def test_a_stored_clip_whose_file_the_disk_lost_is_taken_again_and_gets_no_receipt_before(station: Station) -> None:
    owed: list[str] = []
    store = ClipStore(station.database, station.data, FakeClock(NOW_MS), lambda _box, sha256: owed.append(sha256))
    upload = begun(station, DATA)
    store.finish(upload)
    (station.data / upload.path).unlink()
    owed.clear()
    assert store.find(BOX, CLIP) is None
    assert store.begin(BOX, CLIP, "gate", SHA, len(DATA)) == 0
    assert owed == []
    store.append(upload, 0, DATA)
    store.finish(upload)
    assert owed == [SHA]
    assert (station.data / upload.path).read_bytes() == DATA
    assert station.count("clips") == 1


def test_a_disk_that_takes_no_folder_puts_a_whole_upload_off(station: Station) -> None:
    upload = begun(station, DATA)
    (station.data / "clips").write_bytes(b"in the way")
    store = restarted(station)
    with pytest.raises(DiskFull):
        store.finish(upload)
    assert station.count("clips") == 0
    (station.data / "clips").unlink()
    restarted(station)
    assert station.rows_of("SELECT state FROM clips") == [("stored",)]


def test_a_crash_between_rename_and_row_loses_nothing(station: Station) -> None:
    upload = begun(station, DATA)
    target = station.data / upload.path
    target.parent.mkdir(parents=True)
    (station.data / f"uploads/{BOX}.{CLIP}.part").rename(target)
    restarted(station)
    assert station.rows_of("SELECT state FROM clips") == [("stored",)]
    assert files(station) == [target]


def test_bytes_that_belong_to_no_upload_go_at_the_start(station: Station) -> None:
    upload = begun(station, DATA[:100])
    with station.database.write() as connection:
        clips.drop_upload(connection, upload.id)
    restarted(station)
    assert files(station) == []


def test_torn_bytes_are_noticed_and_sent_anew(station: Station) -> None:
    upload = begun(station, DATA[:1000] + bytes(len(DATA) - 1000))
    store = restarted(station)
    assert store.find(BOX, CLIP) is None
    assert files(station) == []
    assert store.begin(BOX, CLIP, "gate", SHA, len(DATA)) == 0
    store.append(upload, 0, DATA)
    store.finish(upload)
    with pytest.raises(FileNotFoundError):
        store.part(upload).stat()


def test_an_old_upload_that_nobody_goes_on_with_expires(station: Station) -> None:
    upload = begun(station, DATA[:100])
    store = restarted(station)
    touched_ms = store.part(upload).stat().st_mtime_ns // 1_000_000
    assert store.expire(min(NOW_MS, touched_ms)) == 0
    assert store.expire(max(NOW_MS, touched_ms) + 1) == 1
    assert files(station) == []


def test_the_wrong_file_is_never_given_a_name(station: Station) -> None:
    store = restarted(station)
    upload = begun(station, bytes(len(DATA)))
    with pytest.raises(HashWrong):
        store.finish(upload)
    assert station.count("clips") == 0


def test_a_clip_that_was_deleted_here_is_not_taken_again_and_its_box_may_let_it_go(station: Station) -> None:
    owed: list[str] = []
    store = ClipStore(station.database, station.data, FakeClock(NOW_MS), lambda _box, sha256: owed.append(sha256))
    store.finish(begun(station, DATA))
    with station.database.write() as connection:
        assert clips.mark_deleted(connection, CLIP, NOW_MS)
    owed.clear()
    assert store.begin(BOX, CLIP, "gate", SHA, len(DATA)) == len(DATA)
    assert owed == [SHA]
    assert station.rows_of("SELECT state, path FROM clips") == [("deleted", None)]
