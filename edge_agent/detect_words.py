"""What looking through a recording found, in Vietnamese and English, and the same for scripts. PURE."""

import math
from itertools import pairwise
from typing import Any

from edge_agent.aim.words import Language
from edge_agent.camera.source import SourceAddress
from edge_agent.detect import Summary
from edge_agent.scene_words import TAMPERS, at, ninth, number, place, player_time
from edge_agent.trouble_words import tell_cut_short
from edge_agent.vision.advice import area, stays
from edge_agent.vision.episodes import DEMOTED, EpisodeEnded
from edge_agent.vision.observation import Observation, Region
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.tamper import Kind, TamperEvent, TamperStarted

STRAIGHT = 2.0
"""A way that is longer than so many times the distance between its ends is no way from one to the other."""

WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "settings": "Độ nhạy {sensitivity}; {zones}; {masks}.",
        "whole": "canh cả hình",
        "zones": "chỉ canh vùng: {names}",
        "own": "{name} (độ nhạy {sensitivity})",
        "no_masks": "không che chỗ nào",
        "masks": "che {n} chỗ",
        "told": "{n}. {start} – {end} (dài {span} giây): BÁO ĐỘNG, có chuyển động. {zones}Độ rõ {score} trên 1.",
        "demoted": "{n}. {start} – {end} (dài {span} giây): động mãi một chỗ, chỉ ghi, không báo. {zones}"
        "Độ rõ {score} trên 1.",
        "in_zones": "Vùng: {names}. ",
        "stays": "Chỉ quanh một chỗ, {place}.",
        "straight": "Đi từ {first} đến {last}, quãng đường khoảng {way} lần cạnh hình.",
        "moves": "Di chuyển {place}, quãng đường khoảng {way} lần cạnh hình.",
        "many": "Đi qua đi lại, hoặc có nhiều vật, trong khoảng {share} % hình; đầu tiên {first}, cuối cùng {last}.",
        "size": "Lúc thấy rõ nhất: {place}, rộng {wide} %, cao {high} % hình.",
        "split": "Kéo dài quá lâu nên chia ra: còn tiếp ở lần sau.",
        "lost": "Đến hết hình vẫn còn chuyển động.",
        "tamper": "{at}: hình ảnh bất thường: {kind}.",
        "tamper_over": "{at}: hình ảnh hết bất thường ({kind}).",
        "summary": "Phim dài {length} giây: {told} lần báo động{untold}. "
        "Đã xem {looked} trong {frames} hình, tốn {cpu} giây CPU.",
        "untold": ", {n} lần chỉ ghi",
        "nothing": "Nếu thật ra có người hay xe cần thấy: tăng `sensitivity`, xem lại `masks` và `zones`.",
        "tampered": "HÌNH BẤT THƯỜNG: {kind}",
        "learning": "đang làm quen với cảnh",
        "light": "ánh sáng đổi",
        "quiet": "yên",
        "moving": "có động, chưa báo",
        "moving_demoted": "động mãi một chỗ: chỉ ghi",
        "alarm": "BÁO ĐỘNG",
        "alarm_quiet": "BÁO ĐỘNG, đang chờ xem đã hết chưa",
    },
    "en": {
        "settings": "Sensitivity {sensitivity}; {zones}; {masks}.",
        "whole": "the whole picture is watched",
        "zones": "only these zones are watched: {names}",
        "own": "{name} (sensitivity {sensitivity})",
        "no_masks": "nothing is masked",
        "masks": "masks: {n}",
        "told": "{n}. {start} – {end} (for {span} s): ALARM, motion. {zones}Score {score} of 1.",
        "demoted": "{n}. {start} – {end} (for {span} s): a place that stirs for long, recorded, not told. {zones}"
        "Score {score} of 1.",
        "in_zones": "Zones: {names}. ",
        "stays": "It stayed in one place, {place}.",
        "straight": "It went from the {first} to the {last}, a way of about {way} of the picture's side.",
        "moves": "It moved {place}, a way of about {way} of the picture's side.",
        "many": "To and fro, or several things, over {share} % of the picture; first {first}, last {last}.",
        "size": "At its clearest: {place}, {wide} % of the picture wide and {high} % high.",
        "split": "It went on for so long that it was split: the next one goes on.",
        "lost": "It still moved when the pictures ended.",
        "tamper": "{at}: something is wrong with the picture: {kind}.",
        "tamper_over": "{at}: the picture is well again (it was: {kind}).",
        "summary": "{length} s of video, alarms: {told}{untold}. "
        "Looked at {looked} of {frames} pictures, {cpu} s of CPU.",
        "untold": ", recorded only: {n}",
        "nothing": "If somebody or something was to be seen: raise `sensitivity`, look at `masks` and `zones`.",
        "tampered": "PICTURE NOT WELL: {kind}",
        "learning": "learning the scene",
        "light": "the light changed",
        "quiet": "quiet",
        "moving": "moving, not told yet",
        "moving_demoted": "stirs for long: recorded only",
        "alarm": "ALARM",
        "alarm_quiet": "ALARM, waiting whether it is over",
    },
}


def tell_settings(settings: MotionSettings, language: Language) -> str:
    """With what was looked."""
    words = WORDS[language]
    names = ", ".join(
        zone.name if zone.sensitivity is None else words["own"].format(name=zone.name, sensitivity=zone.sensitivity)
        for zone in settings.zones
    )
    return words["settings"].format(
        sensitivity=settings.sensitivity,
        zones=words["zones"].format(names=names) if names else words["whole"],
        masks=words["masks"].format(n=len(settings.masks)) if settings.masks else words["no_masks"],
    )


def tell_episode(number_: int, episode: EpisodeEnded, language: Language) -> str:
    """One episode and why: kind, zones, score, way, size; a line each."""
    words = WORDS[language]
    first = words["demoted" if episode.kind == DEMOTED else "told"].format(
        n=number_,
        start=player_time(episode.start_ms),
        end=player_time(episode.end_ms),
        span=number((episode.end_ms - episode.start_ms) / 1000, 1, language),
        zones=words["in_zones"].format(names=", ".join(episode.zones)) if episode.zones else "",
        score=number(episode.score, 2, language),
    )
    x0, y0, x1, y1 = episode.best_box
    size = words["size"].format(place=place(episode.best_box, language), wide=_percent(x1 - x0), high=_percent(y1 - y0))
    after = [words[episode.reason]] if episode.reason in ("split", "lost") else []
    return "\n   ".join([first, _way(episode, language), size, *after])


def _way(episode: EpisodeEnded, language: Language) -> str:
    words = WORDS[language]
    if stays(episode):
        return words["stays"].format(place=place(episode.box, language))
    (_, first_x, first_y), (_, last_x, last_y) = episode.path[0], episode.path[-1]
    first, last = ninth(first_x, first_y, language), ninth(last_x, last_y, language)
    way = way_of(episode)
    if way > STRAIGHT * math.dist((first_x, first_y), (last_x, last_y)):
        return words["many"].format(
            share=_percent(area(episode.box)), first=at(first, language), last=at(last, language)
        )
    told = number(way, 1, language)
    if first == last:
        return words["moves"].format(place=place(episode.best_box, language), way=told)
    return words["straight"].format(first=first, last=last, way=told)


def way_of(episode: EpisodeEnded) -> float:
    """How long its path is, in sides of the picture."""
    points = [(x, y) for _, x, y in episode.path]
    return sum(math.dist(one, next_) for one, next_ in pairwise(points))


def tell_tamper(event: TamperEvent, language: Language) -> str:
    """That something is wrong with the picture, or no longer so."""
    word = "tamper" if isinstance(event, TamperStarted) else "tamper_over"
    return WORDS[language][word].format(at=player_time(_at_ms(event)), kind=TAMPERS[language][event.kind])


def tell_summary(summary: Summary, address: SourceAddress, language: Language) -> str:
    """How much there was."""
    words = WORDS[language]
    untold = words["untold"].format(n=summary.untold) if summary.untold else ""
    lines = [tell_cut_short(summary.cut_short, address, language)] if summary.cut_short else []
    lines.append(
        words["summary"].format(
            length=number(summary.duration_s, 1, language),
            told=summary.episodes - summary.untold,
            untold=untold,
            looked=summary.looked,
            frames=summary.frames,
            cpu=number(summary.cpu_s, 1, language),
        )
    )
    return "\n".join([*lines, *([] if summary.episodes else [words["nothing"]])])


def tell_state(observation: Observation, is_told: bool, tamper: Kind | None, language: Language) -> str:
    """The detector's state at one picture in a few words; `is_told`: within an episode that people are told of."""
    words = WORDS[language]
    if tamper is not None:
        return words["tampered"].format(kind=TAMPERS[language][tamper])
    if not observation.ready:
        return words["learning"]
    if observation.global_change:
        return words["light"]
    if observation.moving:
        return words["alarm" if is_told else "moving"]
    if is_told:
        return words["alarm_quiet"]
    return words["moving_demoted" if observation.demoted else "quiet"]


def tell_region(region: Region, language: Language) -> str:
    """What stands at its box: how clear, and its zones."""
    return " ".join([number(region.score, 2, language), *region.zones])


def episode_json(episode: EpisodeEnded) -> dict[str, Any]:
    """An episode for scripts: seconds from the first picture, shares of the picture."""
    return {
        "start_s": round(episode.start_ms / 1000, 3),
        "end_s": round(episode.end_ms / 1000, 3),
        "box": [round(share, 4) for share in episode.box],
        "zones": list(episode.zones),
        "score": round(episode.score, 3),
        "kind": episode.kind,
        "reason": episode.reason,
        "best_box": [round(share, 4) for share in episode.best_box],
        "path": [[round(t_ms / 1000, 3), round(x, 4), round(y, 4)] for t_ms, x, y in episode.path],
        "way": round(way_of(episode), 3),
        "stays": stays(episode),
    }


def tamper_json(event: TamperEvent) -> dict[str, Any]:
    """The same of what is wrong with the picture."""
    at_s = round(_at_ms(event) / 1000, 3)
    return {"tamper": {"kind": event.kind, "active": isinstance(event, TamperStarted), "since_s": at_s}}


def summary_json(summary: Summary) -> dict[str, Any]:
    """The figures of the whole."""
    return {
        "summary": {
            "duration_s": round(summary.duration_s, 3),
            "frames": summary.frames,
            "decoded": summary.decoded,
            "looked": summary.looked,
            "cpu_s": round(summary.cpu_s, 3),
            "episodes": summary.episodes,
            "untold": summary.untold,
            "cut_short": None if summary.cut_short is None else summary.cut_short.text,
        }
    }


def _at_ms(event: TamperEvent) -> float:
    return event.since_ms if isinstance(event, TamperStarted) else event.end_ms


def _percent(share: float) -> int:
    return max(1, round(100 * share))
