"""What an alert says, in Vietnamese and English. PURE: a small catalogue and the facts in, a title and lines out."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal, get_args

Language = Literal["vi", "en"]
Tampered = Literal[
    "tamper:covered", "tamper:turned", "tamper:defocused", "tamper:black", "tamper:white", "tamper:frozen"
]
Subject = (
    Literal["motion", "tamper", "box_down", "box_back", "box_cloned", "camera_blind", "camera_back", "test"]
    | Literal["disk_low", "disk_roomy", "group_down", "group_back", "all_down", "box_flapping", "camera_flapping"]
    | Tampered
)
Hint = Literal["power", "program", "network"]
"""Why a box was away, which shows when it is heard again."""
NAMED = 8
"""So many boxes are named in a message."""
_TAMPERED: tuple[Tampered, ...] = get_args(Tampered)

_CATALOGUE: dict[Language, dict[str, str]] = {
    "vi": {
        "tamper:covered": "Camera bị che: {place}",
        "tamper:turned": "Camera bị xoay: {place}",
        "tamper:defocused": "Hình bị mờ: {place}",
        "tamper:black": "Hình đen: {place}",
        "tamper:white": "Hình trắng: {place}",
        "tamper:frozen": "Hình đứng yên: {place}",
        "tamper": "Hình ảnh bất thường: {place}",
        "motion": "Có chuyển động: {place}",
        "box_down": "Mất liên lạc với hộp: {place}",
        "box_back": "Hộp đã liên lạc lại: {place}",
        "box_cloned": "Hai máy cùng xưng là một hộp: {place}",
        "camera_blind": "Camera không có hình: {place}",
        "camera_back": "Camera có hình trở lại: {place}",
        "disk_low": "Đĩa máy chủ sắp đầy: còn {free}",
        "disk_roomy": "Đĩa máy chủ có chỗ trở lại: còn {free}",
        "group_down": "Mất liên lạc {gone}/{of} hộp: {place}",
        "all_down": "Mất liên lạc {gone}/{of} hộp, gần như tất cả",
        "group_back": "Đã liên lạc lại {back}/{of} hộp: {place}",
        "everything": "tất cả các nơi",
        "box_flapping": "Hộp chập chờn, lúc có lúc mất: {place}",
        "camera_flapping": "Camera chập chờn, lúc có hình lúc không: {place}",
        "flapping": "{times} lần trong một giờ. Chỉ báo lại khi mất lâu hơn {lasting}.",
        "boxes": "Các hộp: {names}",
        "still_gone": "Còn mất liên lạc: {names}",
        "more": "{names} và {n} hộp nữa",
        "look_at_collector": "Hãy xem máy chủ và mạng của máy chủ trước.",
        "common_cause": "Nhiều hộp mất cùng lúc: có thể mất điện hoặc mất mạng cả khu.",
        "lasted": "Kéo dài: {span}",
        "hint_power": "Hộp đã khởi động lại: vừa mất điện.",
        "hint_program": "Máy không khởi động lại, chỉ chương trình trên hộp chạy lại.",
        "hint_network": "Hộp không khởi động lại: chỉ mất mạng.",
        "test": "Tin thử từ Vọng Gác",
        "unattended_title": "[Chưa ai tiếp nhận] {title}",
        "unattended": "Đã {waited} chưa ai tiếp nhận sự việc này.",
        "late_title": "[Báo muộn {late}] {title}",
        "time": "Lúc: {time}",
        "zones": "Vùng: {zones}",
        "camera": "Camera: {camera}",
        "site": "Địa điểm: {site}",
        "reason": "Lý do: {reason}",
        "late": "Báo muộn {late}: tin đến sau khi sự việc đã qua, không kêu chuông.",
        "clock": "Đồng hồ của hộp chưa đúng: giờ trên là giờ muộn nhất có thể, theo máy chủ.",
        "clips_wait": "Còn dưới {wait} thì phim phải nằm chờ trên hộp; tin báo vẫn nhận.",
        "link": "Xem: {link}",
        "days": "{n} ngày",
        "hours": "{n} giờ",
        "minutes": "{n} phút",
        "seconds": "{n} giây",
    },
    "en": {
        "tamper:covered": "Camera covered: {place}",
        "tamper:turned": "Camera turned: {place}",
        "tamper:defocused": "Out of focus: {place}",
        "tamper:black": "Black picture: {place}",
        "tamper:white": "White picture: {place}",
        "tamper:frozen": "Frozen picture: {place}",
        "tamper": "Something is wrong with the picture: {place}",
        "motion": "Motion: {place}",
        "box_down": "No word from the box: {place}",
        "box_back": "The box is back: {place}",
        "box_cloned": "Two machines say they are one box: {place}",
        "camera_blind": "The camera shows nothing: {place}",
        "camera_back": "The camera shows a picture again: {place}",
        "disk_low": "The server's disk is filling up: {free} left",
        "disk_roomy": "The server's disk has room again: {free} left",
        "group_down": "No word from {gone} of {of} boxes: {place}",
        "all_down": "No word from {gone} of {of} boxes, nearly all there are",
        "group_back": "{back} of {of} boxes are back: {place}",
        "everything": "everywhere",
        "box_flapping": "The box keeps coming and going: {place}",
        "camera_flapping": "The camera's picture keeps coming and going: {place}",
        "flapping": "{times} times within an hour. Told again only when it is gone for more than {lasting}.",
        "boxes": "Boxes: {names}",
        "still_gone": "Still gone: {names}",
        "more": "{names} and {n} more",
        "look_at_collector": "Look at the server and its network first.",
        "common_cause": "Many at once: perhaps the power or the network of the whole place is out.",
        "lasted": "It lasted: {span}",
        "hint_power": "It has started anew: the power was out.",
        "hint_program": "The machine did not start anew, only the program on the box.",
        "hint_network": "It has not started anew: only the network was out.",
        "test": "A test message from Vọng Gác",
        "unattended_title": "[Nobody has taken this] {title}",
        "unattended": "For {waited} nobody has taken this incident.",
        "late_title": "[{late} late] {title}",
        "time": "At: {time}",
        "zones": "Zone: {zones}",
        "camera": "Camera: {camera}",
        "site": "Site: {site}",
        "reason": "Reason: {reason}",
        "late": "{late} late: this came after the fact and does not ring.",
        "clock": "The box's clock is not set: the time above is the latest possible, by the server.",
        "clips_wait": "With less than {wait} left, clips have to wait on their boxes; events still come in.",
        "link": "See: {link}",
        "days": "{n} d",
        "hours": "{n} h",
        "minutes": "{n} min",
        "seconds": "{n} s",
    },
}
_REASONS: dict[Language, dict[str, str]] = {
    "vi": {
        "silent": "không còn tín hiệu",
        "lost": "mất kết nối",
        "stopped": "chương trình đã dừng",
        "no_frames": "không giải mã được hình",
        "stream_unavailable": "không kết nối được camera",
        "camera_down": "hộp báo camera mất hình",
        "alternates": "tin của hai máy đến xen kẽ. Nếu không ai đang thay hộp: collector box revoke",
        "old_certificate": "chứng chỉ cũ, đã được thay, vẫn có máy dùng. Nếu không rõ vì sao: collector box revoke",
    },
    "en": {
        "silent": "no sign of life",
        "lost": "connection lost",
        "stopped": "the program stopped",
        "no_frames": "no picture decoded",
        "stream_unavailable": "the camera cannot be reached",
        "camera_down": "the box says the picture is gone",
        "alternates": "heartbeats of two machines alternate. If nobody is replacing the box: collector box revoke",
        "old_certificate": "a certificate that was renewed is still in use. If nobody knows why: collector box revoke",
    },
}


@dataclass(frozen=True)
class DiskFacts:
    """How much is free, and with how much clips have to wait."""

    free_bytes: int
    clips_wait_bytes: int


@dataclass(frozen=True)
class GroupFacts:
    """Boxes that fell silent together: `away` are still, of `of`. `place` None: everywhere."""

    place: str | None
    away: tuple[str, ...]
    of: int


@dataclass(frozen=True)
class Flapping:
    """How often it went within an hour, and how long it must be away to be told again."""

    times: int
    lasting_ms: int


@dataclass(frozen=True)
class AlertFacts:
    """What an alert is about. `site` and `camera_title` are names for people, None where nobody gave one."""

    subject: Subject
    box: str
    at_ms: int
    rings: bool
    camera: str | None = None
    site: str | None = None
    camera_title: str | None = None
    zones: tuple[str, ...] = ()
    reason: str | None = None
    late_ms: int = 0
    clock_set: bool = True
    disk: DiskFacts | None = None
    link: str | None = None
    unattended_ms: int = 0
    group: GroupFacts | None = None
    flapping: Flapping | None = None
    lasted_ms: int | None = None
    hint: Hint | None = None


@dataclass(frozen=True)
class AlertText:
    """An alert in a person's language. `rings` tells the channel whether it may make a sound."""

    title: str
    body: str
    rings: bool


def subject_of_kind(kind: str) -> Subject:
    """What an alert about an episode of this kind is about."""
    for subject in _TAMPERED:
        if subject == kind:
            return subject
    return "tamper" if kind.partition(":")[0] == "tamper" else "motion"


def write(facts: AlertFacts, language: Language, zone: tzinfo) -> AlertText:
    """The alert as text: title, then a line each for what is known."""
    words = _CATALOGUE[language]
    camera = facts.camera_title or facts.camera
    place = ", ".join(part for part in (camera, facts.site or facts.box) if part)
    free = "" if facts.disk is None else size(facts.disk.free_bytes, language)
    counts = {}
    if facts.group is not None:
        group, place = facts.group, facts.group.place or words["everything"]
        counts = {"gone": len(group.away), "of": group.of, "back": group.of - len(group.away)}
    title = words[facts.subject].format(place=place, free=free, **counts)
    lines = [words["time"].format(time=local_stamp(facts.at_ms, zone))]
    if facts.camera is not None:
        lines.append(words["camera"].format(camera=_with_name(facts.camera_title, f"{facts.box}/{facts.camera}")))
    if facts.site is not None:
        lines.append(words["site"].format(site=facts.site))
    if facts.zones:
        lines.append(words["zones"].format(zones=", ".join(facts.zones)))
    if facts.reason is not None:
        lines.append(words["reason"].format(reason=_REASONS[language].get(facts.reason, facts.reason)))
    lines += _of_outage(facts, language)
    if not facts.clock_set:
        lines.append(words["clock"])
    if facts.disk is not None and facts.subject == "disk_low":
        lines.append(words["clips_wait"].format(wait=size(facts.disk.clips_wait_bytes, language)))
    if facts.link is not None:
        lines.append(words["link"].format(link=facts.link))
    if facts.unattended_ms:
        waited = duration(facts.unattended_ms, language)
        title = words["unattended_title"].format(title=title)
        lines.insert(0, words["unattended"].format(waited=waited))
    text = AlertText(title, "\n".join(lines), facts.rings)
    return mark_late(text, facts.late_ms, language) if facts.late_ms else text


def _of_outage(facts: AlertFacts, language: Language) -> list[str]:
    """What is known of an outage: how long, why, whom it hit, where to look first."""
    words, lines = _CATALOGUE[language], []
    if facts.lasted_ms is not None:
        lines.append(words["lasted"].format(span=duration(facts.lasted_ms, language)))
    if facts.hint is not None:
        lines.append(words[f"hint_{facts.hint}"])
    if facts.flapping is not None:
        lasting = duration(facts.flapping.lasting_ms, language)
        lines.append(words["flapping"].format(times=facts.flapping.times, lasting=lasting))
    if facts.group is None:
        return lines
    if facts.rings:
        lines.append(words["look_at_collector" if facts.subject == "all_down" else "common_cause"])
    if facts.group.away:
        names = ", ".join(facts.group.away[:NAMED])
        if (rest := len(facts.group.away) - NAMED) > 0:
            names = words["more"].format(names=names, n=rest)
        lines.append(words["boxes" if facts.rings else "still_gone"].format(names=names))
    return lines


def mark_late(text: AlertText, late_ms: int, language: Language) -> AlertText:
    """The same alert, saying first how late it is; it does not ring."""
    words, late = _CATALOGUE[language], duration(late_ms, language)
    title = words["late_title"].format(late=late, title=text.title)
    return AlertText(title, words["late"].format(late=late) + "\n" + text.body, rings=False)


def local_stamp(wall_ms: int, zone: tzinfo) -> str:
    """dd/MM/yyyy HH:mm:ss in the given zone."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(zone).strftime("%d/%m/%Y %H:%M:%S")


def duration(ms: int, language: Language) -> str:
    """A duration in its two largest units: "2 giờ 5 phút", "45 giây"."""
    words = _CATALOGUE[language]
    rest_s = ms // 1000
    parts = []
    for unit, unit_s in (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
        n, rest_s = divmod(rest_s, unit_s)
        parts.append((unit, n))
    first = next((index for index, (_, n) in enumerate(parts) if n), len(parts) - 1)
    return " ".join(words[unit].format(n=n) for unit, n in parts[first : first + 2] if n or unit == parts[first][0])


def size(size_bytes: int, language: Language) -> str:
    """A size as people say it: "3,5 GB", "40 MB"."""
    for unit, unit_bytes in (("TB", 10**12), ("GB", 10**9)):
        if size_bytes >= unit_bytes:
            text = f"{size_bytes / unit_bytes:.1f} {unit}"
            return text.replace(".", ",") if language == "vi" else text
    return f"{size_bytes // 10**6} MB"


def _with_name(title: str | None, name: str) -> str:
    return name if title is None else f"{title} ({name})"
