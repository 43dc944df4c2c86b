"""Texts, formats, rights and waits: everything that a page stands on and that needs no server."""

import itertools
import re
import string
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.alerts.incidents import Action, IncidentState
from collector.alerts.rules import SEVERITY_RANK
from collector.fleet.state import State
from collector.store.users import Failures
from collector.web import wording
from collector.web.access import is_own_path
from collector.web.app import ROUTES
from collector.web.formats import Formats
from collector.web.passwords import Passwords
from collector.web.rights import RIGHTS_OF_ROLE, ROLES, Identity
from collector.web.throttle import FREE_BY_NAME, LONGEST_S, wait_s
from collector.web.wording import Wording, load_texts
from tests.support.duty import NOW_MS, QUICK_PASSWORDS

WEB = Path(wording.__file__).parent
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def places_of(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_both_languages_have_the_same_texts_with_the_same_places():
    vietnamese, english = load_texts("vi"), load_texts("en")
    assert sorted(vietnamese) == sorted(english)
    for key, text in vietnamese.items():
        assert places_of(text) == places_of(english[key]), key
        assert text.strip(), key


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_that_a_template_names_exists(template):
    texts = load_texts("vi")
    source = template.read_text(encoding="utf-8")
    for key in re.findall(r"""\bt\(\s*["']([a-z_.0-9]+)["']\s*[,)]""", source):
        assert key in texts, f"{template.name}: {key}"
    for group in re.findall(r"""\bt\.of\(\s*["']([a-z_]+)["']""", source):
        assert any(key.startswith(f"{group}.") for key in texts), f"{template.name}: {group}"
    for group in re.findall(r"""\bt\(\s*["']([a-z_]+\.)["']\s*~""", source):
        assert any(key.startswith(group) for key in texts), f"{template.name}: {group}"


def test_no_text_is_there_for_nothing():
    sources = "".join(path.read_text(encoding="utf-8") for path in [*TEMPLATES, *WEB.glob("*.py")])
    named = set(re.findall(r"""["']([a-z_]+\.[a-z_0-9]+)["']""", sources))
    groups = set(re.findall(r"""t\.of\(\s*["']([a-z_]+)["']""", sources)) | {
        "unit", "weekday", "clip_word", "clip_state", "clip_long", "error", "keys", "mutes", "fleet", "upkeep",
        "lines", "commands", "weekday_short", "channel", "not_done", "clip_refused",
    }  # fmt: skip
    unused = [key for key in load_texts("vi") if key not in named and key.split(".")[0] not in groups]
    assert unused == []


def test_every_word_of_the_other_parts_has_a_text():
    texts = load_texts("vi")
    for state in State:
        assert f"health.{state}" in texts
    for incident_state in IncidentState:
        assert f"state.{incident_state}" in texts
    for action in Action:
        assert f"action.{action}" in texts
    for severity in SEVERITY_RANK:
        assert f"severity.{severity}" in texts
    for role in ROLES:
        assert f"role.{role}" in texts
    source = (WEB.parent / "fleet" / "state.py").read_text(encoding="utf-8")
    for reason in re.findall(r'Verdict\(State\.\w+, \("(\w+)",\)\)', source) + re.findall(
        r'^ +\("(\w+)", ', source, re.M
    ):
        assert f"reason.{reason}" in texts, reason


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_style_script_or_handler_of_its_own(template):
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", source)
    assert not re.search(r"<script(?![^>]*\ssrc=)", source)
    assert not re.search(r"""(src|href)=["'](https?:)?//""", source)
    assert "|safe" not in source.replace(" ", "")


# --- formats -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ms", "vietnamese", "english"),
    [
        (None, "—", "—"),
        (0, "0 giây", "0 s"),
        (4_100, "4,1 giây", "4.1 s"),
        (12_000, "12 giây", "12 s"),
        (60_000, "1 phút", "1 min"),
        (70_400, "1 phút 10 giây", "1 min 10 s"),
        (2_520_000, "42 phút", "42 min"),
        (7_500_000, "2 giờ 5 phút", "2 h 5 min"),
        (47 * 3_600_000, "47 giờ", "47 h"),
        (86_400_000 * 9 + 3_600_000, "9 ngày 1 giờ", "9 d 1 h"),
        (-5, "0 giây", "0 s"),
    ],
)
def test_spans_are_said_in_two_units(ms, vietnamese, english):
    assert Formats(Wording("vi"), VIETNAM).span(ms) == vietnamese
    assert Formats(Wording("en"), VIETNAM).span(ms) == english


def test_times_are_local_and_unknown_is_a_dash_never_zero():
    formats = Formats(Wording("vi"), VIETNAM)
    assert formats.moment(NOW_MS) == "21/09/2026 21:13:20"
    assert formats.clock(NOW_MS) == "21:13:20"
    assert formats.day_in_words(NOW_MS - 22 * 3_600_000, NOW_MS) == "Hôm qua"
    assert formats.day_in_words(NOW_MS - 50 * 3_600_000, NOW_MS) == "Thứ bảy, 19/09/2026"
    unknown = (
        formats.moment(None), formats.size(None), formats.bitrate(None), formats.number(None),
        formats.ago(None, NOW_MS), formats.percent(None, 5), formats.percent(5, None),
    )  # fmt: skip
    assert set(unknown) == {"—"}


def test_sizes_and_rates_use_the_units_that_people_read():
    formats = Formats(Wording("vi"), VIETNAM)
    assert formats.size(0) == "0 B"
    assert formats.size(1_234_567) == "1,2 MB"
    assert formats.size(64_000_000_000) == "64,0 GB"
    assert formats.bitrate(2048.5) == "2,0 Mbit/s"
    assert formats.bitrate(312) == "312 kbit/s"


# --- rights, waits, passwords ------------------------------------------------------------------------------------


def test_a_role_that_is_unknown_holds_no_right():
    nobody = Identity(name="x", role="chief", by="session")
    assert not any(nobody.may(entry.right) for entry in ROUTES if entry.right != "public")
    assert set(RIGHTS_OF_ROLE) == set(ROLES)


def test_only_the_login_the_language_and_lent_pictures_are_public():
    assert {(entry.method, entry.path) for entry in ROUTES if entry.right == "public"} == {
        ("GET", "/lent/{id}"),  # its address is the secret, and ends
        ("GET", "/login"),
        ("POST", "/login"),
        ("POST", "/language"),
        ("GET", "/lent/{id}"),  # whoever holds a link of a message, for a quarter of an hour
    }


def test_the_first_failures_cost_nothing_and_then_each_doubles_the_wait():
    waits = [wait_s(Failures(count, NOW_MS), FREE_BY_NAME, NOW_MS) for count in range(20)]
    assert waits[:8] == [0, 0, 0, 0, 0, 2, 4, 8]
    assert waits[-1] == LONGEST_S
    assert all(earlier <= later for earlier, later in itertools.pairwise(waits))


def test_a_wait_ends():
    assert wait_s(Failures(5, NOW_MS), FREE_BY_NAME, NOW_MS + 1_999) == 1
    assert wait_s(Failures(5, NOW_MS), FREE_BY_NAME, NOW_MS + 2_000) == 0


def test_a_password_is_kept_as_argon2id_and_compared():
    encoded = Passwords().hash("một mật khẩu dài")
    assert encoded.startswith("$argon2id$v=19$m=65536,")
    assert Passwords().fits(encoded, "một mật khẩu dài")
    assert not QUICK_PASSWORDS.fits(encoded, "một mật khẩu khác")
    assert not QUICK_PASSWORDS.fits(None, "nobody has this password")
    assert not QUICK_PASSWORDS.fits("$not a hash$", "x")


@pytest.mark.parametrize(("password", "words"), [("short", "at least 10"), ("x" * 201, "at most 200")])
def test_a_password_that_is_too_short_or_too_long_is_refused(password, words):
    with pytest.raises(ValueError, match=words):
        QUICK_PASSWORDS.hash(password)


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "1234567890",
        "qwertyuiop",
        "aaaaaaaaaaaa",
        "Password1!",
        "matkhau123",
        "anhyeuem123",
        "vonggac2026",
    ],
)
def test_a_password_that_many_have_is_refused(password):
    with pytest.raises(ValueError, match="many people have"):
        QUICK_PASSWORDS.hash(password)


@pytest.mark.parametrize("password", ["mưa rào đêm qua", "correct horse battery", "Tr4-8kq-Mz2", "ghe-tre-con-meo"])
def test_a_password_of_somebody_s_own_is_taken(password):
    assert QUICK_PASSWORDS.fits(QUICK_PASSWORDS.hash(password), password)


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/", True), ("/boxes", True), ("/?state=new", True),
        ("//evil.example", False), ("/\\evil.example", False), ("https://evil.example", False), ("", False),
        ("/a\nb", False), ("/" + "x" * 600, False),
    ],
)  # fmt: skip
def test_a_browser_is_sent_on_only_within_this_server(path, own):
    assert is_own_path(path) is own
