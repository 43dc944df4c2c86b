"""What tuning found, in Vietnamese and English, and as YAML to paste. PURE: findings in, text out."""

from edge_agent.aim.words import Language
from edge_agent.camera.source import SourceAddress
from edge_agent.scene_words import TAMPERS, place
from edge_agent.trouble_words import tell_cut_short
from edge_agent.tune import Findings
from edge_agent.vision.advice import Proposal, area
from edge_agent.vision.settings import Polygon

SHORT_S = 180.0
"""What was watched no longer says little of an ordinary day."""
BUSY = 0.5
"""Where something is told so much of the time, fewer alarms are no measure: they only grow longer."""

WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "of_file": "Trong đoạn phim dài {span} {what}",
        "of_camera": "Trong {span} vừa qua {what}",
        "none": "không có báo động nào.",
        "passing_only": "có {alarms}, do có thứ đi qua (người, xe, con vật?).",
        "staying_only": "có {alarms}, do vật chỉ động đậy một chỗ (lá cây, cờ, nước, màn hình?).",
        "mixed": "có {alarms}: {staying} lần do vật chỉ động đậy một chỗ (lá cây, cờ, nước, màn hình?), "
        "{passing} lần do có thứ đi qua (người, xe, con vật?).",
        "one": "{n} lần báo động",
        "several": "{n} lần báo động",
        "rate": "Cứ như vậy thì mỗi giờ khoảng {rate} lần.",
        "short": "Mới xem {span}, quá ngắn để biết ngày thường ở đây ra sao: nên xem ít nhất mười phút.",
        "busy": "Có thứ chuyển động trong {share} % thời gian. Nếu ngày thường cũng vậy thì báo động sẽ nối nhau: "
        "hãy khai `zones` quanh đúng chỗ cần canh (cổng, cửa), che đường đi bằng `masks`, hoặc xoay camera hướng khác.",
        "missed": "Nếu lúc đó có người hay xe cần báo mà không báo: tăng `sensitivity`, xem lại `zones` và `masks`.",
        "tampered": "Chú ý: hình ảnh bất thường ({kind}) từ giây {at}: hãy xem lại camera trước khi chỉnh.",
        "mask": "{number}. Che vùng {place} ({share} % hình): còn {left} trong {of} lần báo động.",
        "zone": "{number}. Chỉ canh vùng {place} ({share} % hình): còn {left} trong {of} lần báo động. "
        "Ngoài vùng này sẽ không báo.",
        "sensitivity": "{number}. Hạ độ nhạy (sensitivity) xuống {value}: còn {left} trong {of} lần báo động.",
        "passing": "   Cẩn thận: trong số bớt đi có {n} lần là thứ đi qua, có thể là người.",
        "rerun": "Các con số trên do chạy lại đoạn phim với từng đề nghị.",
        "reckoned": "Các con số trên tính từ những gì đã thấy; khi áp dụng có thể khác đôi chút.",
        "paste": "Chọn đề nghị nào thì dán phần của nó vào mục của camera này trong edge.yaml (thay mục cùng tên):",
        "nothing": "Không tìm được cách nào giúp bớt báo động đáng kể.",
        "fine": "Không cần chỉnh gì. Nếu chỉ cần canh một phần của hình thì khai `zones` quanh phần đó.",
        "minutes": "{minutes} phút",
        "both": "{minutes} phút {seconds} giây",
        "seconds": "{seconds} giây",
        "passage": "lối đi",
        "legend_alarm": "Vàng: chỗ báo động và đường đi",
        "legend_zone": "Xanh: vùng canh",
        "legend_mask": "Đỏ: đề nghị che",
    },
    "en": {
        "of_file": "In this recording of {span}: {what}",
        "of_camera": "In the last {span}: {what}",
        "none": "no alarm.",
        "passing_only": "{alarms}, from something that passed (people, vehicles, animals?).",
        "staying_only": "{alarms}, from what only stirs in one place (leaves, a flag, water, a screen?).",
        "mixed": "{alarms}, {staying} of them from what only stirs in one place (leaves, a flag, water, a screen?), "
        "{passing} from something that passed (people, vehicles, animals?).",
        "one": "{n} alarm",
        "several": "{n} alarms",
        "rate": "At that rate about {rate} an hour.",
        "short": "It was watched for {span} only, too short to know an ordinary day here: take ten minutes at least.",
        "busy": "Something moved for {share} % of the time. If that is an ordinary day, alarms will never cease: "
        "draw `zones` around just what matters (a gate, a door), hide the road with `masks`, or turn the camera.",
        "missed": "If somebody was to be told and was not: raise `sensitivity`, look at `zones` and `masks`.",
        "tampered": "Mind: something is wrong with the picture ({kind}) from second {at}: see to the camera first.",
        "mask": "{number}. A mask {place} ({share} % of the picture) would have left {left} of {of} alarms.",
        "zone": "{number}. A zone {place} ({share} % of the picture) would have left {left} of {of} alarms. "
        "Outside it nothing alarms any more.",
        "sensitivity": "{number}. Sensitivity {value} would have left {left} of {of} alarms.",
        "passing": "   Careful: {n} of those that go passed through the picture: they may have been people.",
        "rerun": "These figures come from running the recording again with each proposal.",
        "reckoned": "These figures are reckoned from what was seen; once applied they may differ a little.",
        "paste": "Paste the part you choose into this camera in edge.yaml (in place of what has the same name):",
        "nothing": "Nothing was found that would leave markedly fewer alarms.",
        "fine": "Nothing needs to be changed. If only a part of the picture matters, draw `zones` around it.",
        "minutes": "{minutes} min",
        "both": "{minutes} min {seconds} s",
        "seconds": "{seconds} s",
        "passage": "passage",
        "legend_alarm": "Yellow: alarms and their ways",
        "legend_zone": "Blue: zones",
        "legend_mask": "Red: masks that are proposed",
    },
}


def tell(findings: Findings, address: SourceAddress, language: Language) -> str:
    """All of it: what alarmed, what would help, and YAML."""
    words = WORDS[language]
    lines = [_summary(findings, address, language)]
    if findings.cut_short is not None:
        lines.append(tell_cut_short(findings.cut_short, address, language))
    for tamper in findings.tampers:
        kind = TAMPERS[language][tamper.kind]
        lines.append(words["tampered"].format(kind=kind, at=f"{tamper.since_ms / 1000:.0f}"))
    if findings.watched_s < SHORT_S:
        lines.append(words["short"].format(span=_span(findings.watched_s, language)))
    is_busy = findings.busy >= BUSY
    if is_busy:
        lines.append(words["busy"].format(share=round(100 * findings.busy)))
    for number, proposal in enumerate(findings.proposals, start=1):
        box = proposal.box or (0.0, 0.0, 1.0, 1.0)
        lines.append(
            words[proposal.change].format(
                number=number,
                place=place(box, language),
                share=max(1, round(100 * area(box))),
                left=proposal.left,
                of=proposal.of,
                value=proposal.sensitivity,
            )
        )
        if proposal.passing:
            lines.append(words["passing"].format(n=proposal.passing))
    if findings.proposals:
        lines += [words["rerun" if findings.rerun else "reckoned"], "", words["paste"], ""]
        lines += [paste(number, proposal, language) for number, proposal in enumerate(findings.proposals, start=1)]
    elif not findings.alarms:
        lines.append(words["missed"])
    elif not is_busy:
        lines.append(words["nothing" if findings.staying else "fine"])
    return "\n".join(lines)


def _summary(findings: Findings, address: SourceAddress, language: Language) -> str:
    words = WORDS[language]
    count, staying = len(findings.alarms), findings.staying
    word = "none" if not count else "passing_only" if not staying else "mixed" if staying < count else "staying_only"
    alarms = words["one" if count == 1 else "several"].format(n=count)
    what = words[word].format(alarms=alarms, staying=staying, passing=count - staying)
    if count and findings.watched_s >= SHORT_S:
        what += " " + words["rate"].format(rate=round(count * 3600 / findings.watched_s))
    span = _span(findings.watched_s, language)
    return words["of_file" if address.kind == "file" else "of_camera"].format(span=span, what=what)


def _span(seconds: float, language: Language) -> str:
    minutes, rest = divmod(round(seconds), 60)
    word = "seconds" if not minutes else "both" if rest else "minutes"
    return WORDS[language][word].format(minutes=minutes, seconds=rest)


def legend(language: Language) -> tuple[str, ...]:
    """What the colours of the picture mean: alarms, zones, masks that are proposed."""
    return tuple(WORDS[language][f"legend_{what}"] for what in ("alarm", "zone", "mask"))


def paste(number: int, proposal: Proposal, language: Language) -> str:
    """The proposal as a part of the camera's `motion` section, with the masks or zones that are there already."""
    settings = proposal.settings
    lines = [f"    motion:  # {number}"]
    if proposal.change == "sensitivity":
        lines.append(f"      sensitivity: {settings.sensitivity}")
    elif proposal.change == "mask":
        lines += ["      masks:", *(f"        - {_yaml(mask)}" for mask in settings.masks)]
    else:  # there were none before
        lines.append("      zones:")
        for zone in settings.zones:
            lines += [f"        - name: {WORDS[language]['passage']}", f"          area: {_yaml(zone.polygon)}"]
    return "\n".join(lines)


def as_json(findings: Findings, language: Language) -> dict[str, object]:
    """The same for scripts: counts, and each proposal with its box and YAML."""
    return {
        "watched_s": round(findings.watched_s, 1),
        "alarms": len(findings.alarms),
        "staying": findings.staying,
        "busy": round(findings.busy, 3),
        "rerun": findings.rerun,
        "cut_short": None if findings.cut_short is None else findings.cut_short.text,
        "tampers": [{"kind": t.kind, "since_s": round(t.since_ms / 1000, 1)} for t in findings.tampers],
        "proposals": [
            {
                "change": proposal.change,
                "box": None if proposal.box is None else [round(value, 2) for value in proposal.box],
                "sensitivity": proposal.sensitivity,
                "of": proposal.of,
                "left": proposal.left,
                "passing": proposal.passing,
                "yaml": paste(number, proposal, language),
            }
            for number, proposal in enumerate(findings.proposals, start=1)
        ],
    }


def _yaml(polygon: Polygon) -> str:
    return "[" + ", ".join(f"[{x:g}, {y:g}]" for x, y in polygon) + "]"
