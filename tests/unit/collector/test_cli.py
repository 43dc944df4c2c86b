"""The commands as a person types them."""

import contextlib
import io
import json
import sqlite3
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from collector.cli import main
from collector.store import users
from collector.store.database import open_database, sqlite_url
from collector.store.reach import EVERYWHERE, Reach, Spot
from collector.watching import watch
from collector.web.passwords import Passwords
from tests.support.duty import Duty, a_whole_shift


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "collector.yaml"
        self.config.write_text("data: data\nbroker: embedded\n")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(self.config)])

    def add(self, *more: str, box: str = "nha-01") -> Result:
        secret = str(self.folder / "box.secret")
        more = more or ("--secret-file", secret)
        return self.run("box", "add", box, "--site", "Nhà", "--commune", "Xã", *more)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_a_new_boxs_secret_goes_to_a_closed_file_and_not_to_the_screen(shell: Shell) -> None:
    result = shell.add()
    assert result.exit_code == 0, result.output
    file = shell.folder / "box.secret"
    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_text().strip()
    assert len(secret) >= 43
    assert secret not in result.output
    assert json.loads(shell.run("box", "list", "--json").output)["id"] == "nha-01"


def test_a_box_is_added_once_and_again_after_it_was_retired(shell: Shell) -> None:
    assert shell.add("--show").exit_code == 0
    again = shell.add("--show")
    assert (again.exit_code, "registered already" in again.output) == (1, True)
    assert shell.run("box", "retire", "nha-01").exit_code == 0
    assert shell.run("box", "retire", "nha-01").exit_code == 1
    assert shell.add("--show").exit_code == 0


def test_an_existing_secret_file_is_not_overwritten(shell: Shell) -> None:
    (shell.folder / "box.secret").write_text("precious")
    assert shell.add().exit_code == 1
    assert (shell.folder / "box.secret").read_text() == "precious"
    assert shell.run("box", "list", "--json").output == ""


@pytest.mark.parametrize("box", ["X", "ab", "a/b", "nha+", "#"])
def test_an_id_that_could_be_a_wildcard_is_refused(shell: Shell, box: str) -> None:
    assert shell.add("--show", box=box).exit_code == 2


def test_a_user_gets_a_password_that_works(shell: Shell) -> None:
    result = shell.run("user", "add", "lan", "--role", "officer")
    assert result.exit_code == 0, result.output
    password = result.output.strip().rpartition(" ")[2]
    database = open_database(sqlite_url(shell.folder / "data/collector.sqlite"))
    with database.read() as connection:
        encoded = connection.exec_driver_sql("SELECT password_hash FROM users").scalar_one()
    database.close()
    assert Passwords().fits(encoded, password)
    assert shell.run("user", "add", "lan", "--role", "officer").exit_code == 1


def test_another_password_takes_the_old_ones_place_ends_sessions_and_is_noted(shell: Shell) -> None:
    shell.run("user", "add", "Lan", "--role", "officer")
    database = open_database(sqlite_url(shell.folder / "data/collector.sqlite"))
    with database.write() as connection:
        users.add_session(connection, "secret", "lan", "csrf", 0, 1_000_000)
        assert users.find_session(connection, users.digest("secret"), 1, 1_000_000) is not None
    (shell.folder / "new").write_text("ngựa đúng pin ghim\n")
    result = shell.run("user", "password", "LAN", "--password-file", str(shell.folder / "new"))
    assert (result.exit_code, result.output) == (0, "LAN has another password\n")
    with database.read() as connection:
        new = users.find_user(connection, "lan")
        assert users.find_session(connection, users.digest("secret"), 1, 1_000_000) is None
    made = shell.run("user", "password", "lan").output.strip().rpartition(" ")[2]
    with database.read() as connection:
        newest = users.find_user(connection, "lan")
    database.close()
    assert new is not None
    assert newest is not None
    fits = Passwords().fits
    assert fits(new.password_hash, "ngựa đúng pin ghim")
    assert not fits(newest.password_hash, "ngựa đúng pin ghim")
    assert fits(newest.password_hash, made)
    line = json.loads(shell.run("audit", "list", "--json", "--limit", "1").output)
    assert (line["action"], line["ref"], line["detail"]) == ("configure", "lan", {"did": "password"})


def test_a_password_that_is_too_short_or_nobodys_changes_nothing(shell: Shell) -> None:
    shell.run("user", "add", "lan", "--role", "officer")
    (shell.folder / "new").write_text("short\n")
    short = shell.run("user", "password", "lan", "--password-file", str(shell.folder / "new"))
    assert (short.exit_code, "at least 10" in short.output) == (1, True)
    assert "there is none of this name" in shell.run("user", "password", "nobody").output
    assert len(shell.run("audit", "list", "--json").output.splitlines()) == 1


@pytest.mark.parametrize("listing", ["boxes", "cameras", "events", "episodes", "clips", "incidents"])
def test_every_listing_answers_on_an_empty_collector(shell: Shell, listing: str) -> None:
    assert shell.run(listing, "--json", "--since", "2h").output == ""
    assert shell.run(listing).output == "nothing\n"


def test_fsck_and_prune_are_well_on_an_empty_collector(shell: Shell) -> None:
    fsck = shell.run("fsck", "--deep")
    assert (fsck.exit_code, fsck.output) == (0, "all is well\n")
    assert json.loads(shell.run("prune").output)["clips"] == 0


def test_a_wrong_configuration_exits_78(shell: Shell) -> None:
    shell.config.write_text("data: data\nbroker: embedded\ncolour: red\n")
    result = shell.run("boxes")
    assert result.exit_code == 78
    assert "collector.yaml:3: colour: unknown option" in result.output


def test_an_unknown_part_is_refused(shell: Shell) -> None:
    assert "there is no part 'kitchen'" in shell.run("serve", "--only", "ingest,kitchen").output


def test_a_token_is_printed_once_and_is_known_until_it_is_removed(shell: Shell) -> None:
    shell.run("user", "add", "lan", "--role", "administrator")
    secret = shell.run("token", "add", "prometheus", "--user", "lan", "--role", "technician").stdout.strip()
    assert _role_of(shell, secret) == "technician"
    assert shell.run("token", "remove", "prometheus").exit_code == 0
    assert _role_of(shell, secret) is None
    assert shell.run("token", "remove", "prometheus").exit_code == 1


def _role_of(shell: Shell, secret: str) -> str | None:
    database = open_database(sqlite_url(shell.folder / "data/collector.sqlite"))
    with database.read() as connection:
        found = users.find_token(connection, secret, 0)
    database.close()
    return None if found is None else found.role


def test_a_token_needs_somebody_who_answers_for_it(shell: Shell) -> None:
    result = shell.run("token", "add", "x", "--user", "nobody", "--role", "auditor")
    assert result.exit_code == 1
    assert "user nobody: there is none who may sign in" in result.output


def test_what_is_done_on_the_command_line_stands_in_the_audit_log(shell: Shell) -> None:
    shell.add("--show")
    shell.run("user", "add", "Lan", "--role", "officer")
    shell.run("token", "add", "map", "--user", "lan", "--role", "officer")
    shell.run("token", "remove", "map")
    shell.run("user", "disable", "lan")
    shell.run("user", "disable", "nobody")
    shell.run("box", "retire", "nha-01")
    lines = [json.loads(line) for line in shell.run("audit", "list", "--json").output.splitlines()][::-1]
    assert [(line["thing"], line["ref"], line["detail"]["did"]) for line in lines] == [
        ("box", "nha-01", "add"),
        ("user", "lan", "add"),
        ("token", "map", "add"),
        ("token", "map", "remove"),
        ("user", "lan", "disable"),
        ("box", "nha-01", "retire"),
    ]
    assert {line["by"] for line in lines} == {"console"}
    assert all(line["who"] for line in lines)


def test_a_hold_is_noted_with_its_reason_and_needs_something_to_hold(shell: Shell) -> None:
    shell.add("--show")
    with contextlib.closing(sqlite3.connect(shell.folder / "data/collector.sqlite")) as database, database:
        database.execute(
            "INSERT INTO clips (id, box, sha256, size_bytes, state, truncated, held, path, stored_ms)"
            " VALUES ('c', 'nha-01', '0', 1, 'stored', 0, 0, 'clips/c.mp4', 1)"
        )
    assert "under legal hold" in shell.run("hold", "c", "--reason", "Công an huyện, vụ 12").output
    assert "released" in shell.run("release", "c", "--reason", "xong").output
    assert shell.run("release", "c", "--reason", "xong").exit_code == 1
    assert "no clip, episode or incident" in shell.run("hold", "d", "--reason", "?").output
    lines = [json.loads(line) for line in shell.run("audit", "list", "--json").output.splitlines()]
    assert [line["detail"] for line in lines if line["action"] == "hold"] == [
        {"did": "release", "reason": "xong"},
        {"did": "hold", "reason": "Công an huyện, vụ 12"},
    ]


def test_audit_verify_prints_a_seal_and_finds_what_was_changed(shell: Shell) -> None:
    empty = shell.run("audit", "verify")
    assert (empty.exit_code, empty.output.splitlines()[0]) == (0, f"0 lines. Seal: 0:{'0' * 64}")
    shell.run("user", "add", "lan", "--role", "officer")
    good = shell.run("audit", "verify")
    assert good.exit_code == 0
    seal = good.output.splitlines()[0].rpartition(" ")[2]
    assert shell.run("audit", "verify", "--seal", seal).exit_code == 0
    with contextlib.closing(sqlite3.connect(shell.folder / "data" / "collector.sqlite")) as connection:
        connection.execute("DROP TRIGGER audit_refuses_update")
        connection.execute("UPDATE audit SET who = 'somebody else'")
        connection.commit()
    bad = shell.run("audit", "verify")
    assert (bad.exit_code, bad.output.splitlines()[0]) == (1, "WRONG line 1 was changed")
    assert "WRONG audit: line 1 was changed" in shell.run("fsck").output
    assert shell.run("audit", "verify", "--seal", "7").exit_code == 2
    gone = shell.run("audit", "verify", "--seal", f"9:{'a' * 64}")
    assert "the end was cut off" in gone.output


def test_a_user_is_given_places_and_single_rights_and_keeps_what_a_change_does_not_name(shell: Shell) -> None:
    added = shell.run(
        "user", "add", "lan", "--role", "officer", "--commune", "Xã A", "--site", "Xã B/Trường", "--without", "export"
    )
    assert "lan may sign in as officer, only in Xã A, Xã B / Trường, with the password" in added.output

    def standing() -> users.Standing:
        database = open_database(sqlite_url(shell.folder / "data" / "collector.sqlite"))
        with database.read() as connection:
            found = users.find_user(connection, "lan")
        database.close()
        assert found is not None
        return found.standing

    reach = Reach((Spot("Xã A"), Spot("Xã B", "Trường")))
    assert standing() == users.Standing(reach, frozenset(), frozenset({"export"}))
    assert shell.run("user", "change", "lan", "--also", "see_audit").exit_code == 0
    assert standing() == users.Standing(reach, frozenset({"see_audit"}), frozenset())
    shell.run("user", "change", "lan", "--everywhere", "--role", "auditor")
    assert standing() == users.Standing(EVERYWHERE, frozenset({"see_audit"}), frozenset())
    shell.run("user", "change", "lan", "--as-role")
    assert standing() == users.Standing()
    line = json.loads(shell.run("audit", "list", "--json", "--limit", "1").output)
    assert (line["ref"], line["detail"]) == ("lan", {"did": "change", "role": "auditor", "where": "everywhere"})


@pytest.mark.parametrize(
    "words",
    [("--site", "Trường"), ("--everywhere", "--commune", "A"), ("--also", "fly"), ("--as-role", "--also", "export")],
)
def test_places_and_rights_that_make_no_sense_are_refused(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.run("user", "add", "lan", "--role", "officer", *words).exit_code == 2
    assert shell.run("user", "change", "nobody", "--everywhere").exit_code == 1


@pytest.fixture
def certified(shell: Shell) -> Shell:
    secret = shell.folder / "authority.secret"
    secret.write_text("mot-mat-khau-du-dai-cho-khoa")
    secret.chmod(0o600)
    shell.config.write_text(
        "data: data\nbroker: embedded\n"
        "identity: {names: [10.20.0.5, vonggac.xa], key_password_file: authority.secret}\n"
    )
    return shell


def bundled(shell: Shell, *more: str, camera: str = "gate=rtsp://10.0.0.9/1", box: str = "nha-01") -> Result:
    return shell.add("--camera", camera, "--bundle", str(shell.folder / "bundle"), *more, box=box)


def test_a_bundle_needs_an_authority_and_there_is_one_only(certified: Shell) -> None:
    without = bundled(certified)
    assert (without.exit_code, "collector authority init" in without.output) == (78, True)
    assert certified.run("box", "list", "--json").output == ""
    assert certified.run("authority", "init").exit_code == 0
    again = certified.run("authority", "init")
    assert (again.exit_code, "there is an authority already" in again.output) == (78, True)


def test_a_registered_box_has_a_bundle_or_is_not_registered(certified: Shell) -> None:
    certified.run("authority", "init")
    (certified.folder / "bundle").mkdir()
    assert "exists; move it away" in bundled(certified).output
    (certified.folder / "bundle").rmdir()
    done = bundled(certified)
    assert done.exit_code == 0, done.output
    facts = json.loads((certified.folder / "bundle" / "box.json").read_text())
    assert (facts["url"], facts["broker_host"], facts["broker_port"]) == ("https://10.20.0.5:8443", "10.20.0.5", 1883)
    assert (certified.folder / "bundle" / "token").read_text().strip() not in done.output
    row = json.loads(certified.run("box", "list", "--json").output)
    assert (row["id"], row["papers"], row["certificate_ends_ms"]) == ("nha-01", ["not_enrolled"], None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--show",), "with `identity` a box has no secret"),
        (("--camera", "Gate=rtsp://x/1"), "must be NAME=URL"),
        (("--camera", "yard=rtsp://a:b@x/1,rtsp://c:d@x/2"), "both streams must have one user and password"),
        (("--password-file", "yard=x"), "there is no camera of this name"),
    ],
)
def test_mistakes_in_a_bundles_options_are_told(certified: Shell, arguments: tuple[str, ...], said: str) -> None:
    certified.run("authority", "init")
    result = bundled(certified, *arguments)
    assert (result.exit_code, said in result.output) == (2, True), result.output
    assert not (certified.folder / "bundle").exists()


@pytest.mark.parametrize("box", ["collector", "broker", "localhost", "a", "../x", "vg+#"])
def test_some_names_are_no_boxs(certified: Shell, box: str) -> None:
    assert bundled(certified, box=box).exit_code == 2


def test_a_cameras_password_is_asked_for_or_read_from_a_closed_file(certified: Shell) -> None:
    certified.run("authority", "init")
    file = certified.folder / "pw"
    file.write_text("bi mat\n")
    user = "gate=rtsp://xem@10.0.0.9/1,rtsp://xem@10.0.0.9/2"
    assert "open to others" in bundled(certified, "--password-file", f"gate={file}", camera=user).output
    file.chmod(0o600)
    done = bundled(certified, "--password-file", f"gate={file}", camera=user)
    assert done.exit_code == 0, done.output
    assert (certified.folder / "bundle" / "secrets" / "gate").read_text() == "bi mat\n"
    assert "bi mat" not in (certified.folder / "bundle" / "box.json").read_text() + done.output


def test_a_box_is_revoked_replaced_and_retired(certified: Shell) -> None:
    certified.run("authority", "init")
    bundled(certified)
    assert certified.run("box", "revoke", "nha-01").exit_code == 0
    row = json.loads(certified.run("box", "list", "--json").output)
    assert row["papers"] == ["revoked"]
    replaced = certified.run(
        "box", "replace", "nha-01", "--camera", "g=usb:0", "--bundle", str(certified.folder / "new.zip")
    )
    assert replaced.exit_code == 0, replaced.output
    assert certified.run("box", "retire", "nha-01").exit_code == 0
    for command in ("revoke", "retire"):
        assert certified.run("box", command, "nha-01").exit_code == 1
    lines = [json.loads(line) for line in certified.run("audit", "list", "--json").output.splitlines()][::-1]
    assert [line["detail"]["did"] for line in lines] == ["add", "revoke", "replace", "retire"]


def test_boxes_are_watched_the_worst_first(tmp_path: Path) -> None:
    duty = Duty(tmp_path)
    a_whole_shift(duty, b"clip")
    console = Console(width=200, file=io.StringIO(), force_terminal=False)
    watch(duty.database, ZoneInfo("Asia/Ho_Chi_Minh"), lambda: duty.now_ms, console, rounds=1)
    duty.database.close()
    told = console.file.getvalue().splitlines()
    assert told[0].rstrip() == "21/09/2026 21:13:20  down 1, degraded 1, new 1, up 1"
    ids = ["nga-ba-cho", "truong-tieu-hoc", "nha-van-hoa-01", "tram-y-te"]
    lines = [next(line for line in told if f" {box} " in f" {line}") for box in ids]
    assert [told.index(line) for line in lines] == sorted(told.index(line) for line in lines)
    assert "10 min" in lines[0]
    assert "stream_unavailable" in " ".join(told)


def test_watching_is_not_for_scripts(shell: Shell) -> None:
    assert "leave --json out" in shell.run("boxes", "--watch", "--json").output
