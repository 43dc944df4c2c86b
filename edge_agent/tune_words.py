"""What tuning found, in Vietnamese and English, and as YAML to paste. PURE: findings in, text out."""

from edge_agent.aim.words import Language
from edge_agent.camera.source import SourceAddress
from edge_agent.scene_words import TAMPERS, place
from edge_agent.trouble_words import tell_cut_short
from edge_agent.tune import Findings
from edge_agent.vision.advice import Proposal, area
from edge_agent.vision.settings import Polygon

_WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "summary": "Trong {span} vừa qua: {n} lần báo động, {staying} lần do vật chỉ động đậy một chỗ "
        "(lá cây, cờ, nước, màn hình?), {passing} lần do thứ đi qua.",
        "none": "Trong {span} vừa qua: không có báo động nào.",
        "tampered": "Chú ý: hình ảnh bất thường ({kind}) từ giây {at}: hãy xem lại camera trước khi chỉnh.",
        "mask": "{number}. Che vùng {place} ({share} % hình): còn {left} trong {of} lần báo động.",
        "zone": "{number}. Chỉ canh vùng {place} ({share} % hình): còn {left} trong {of} lần báo động. "
        "Ngoài vùng này sẽ không báo.",
        "sensitivity": "{number}. Hạ độ nhạy (sensitivity) xuống {value}: còn {left} trong {of} lần báo động.",
        "passing": "   Cẩn thận: trong số bớt đi có {n} lần là thứ đi qua, có thể là người.",
        "rerun": "Các con số trên do chạy lại đoạn phim với từng đề nghị.",
        "reckoned": "Các con số trên tính từ những gì đã thấy; khi áp dụng có thể khác đôi chút.",
        "paste": "Chọn đề nghị nào thì dán phần của nó vào mục của camera này trong edge.yaml (thay mục cùng tên):",
        "nothing": "Không có đề nghị nào giúp bớt báo động đáng kể.",
        "minutes": "{n} phút",
        "seconds": "{n} giây",
    },
    "en": {
        "summary": "In the last {span}: {n} alarms, {staying} of them from what only stirs in one place "
        "(leaves, a flag, water, a screen?), {passing} from something that passed.",
        "none": "In the last {span}: no alarm.",
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
        "minutes": "{n} minutes",
        "seconds": "{n} seconds",
    },
}


def tell(findings: Findings, address: SourceAddress, language: Language) -> str:
    """All of it: what alarmed, what would help, and YAML."""
    words = _WORDS[language]
    count = len(findings.alarms)
    minutes = findings.watched_s / 60
    span = words["minutes"].format(n=f"{minutes:.0f}")
    if minutes < 2:
        span = words["seconds"].format(n=f"{findings.watched_s:.0f}")
    lines = [
        words["summary" if count else "none"].format(
            span=span, n=count, staying=findings.staying, passing=count - findings.staying
        )
    ]
    if findings.cut_short is not None:
        lines.append(tell_cut_short(findings.cut_short, address, language))
    for tamper in findings.tampers:
        kind = TAMPERS[language][tamper.kind]
        lines.append(words["tampered"].format(kind=kind, at=f"{tamper.since_ms / 1000:.0f}"))
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
        lines += [paste(number, proposal) for number, proposal in enumerate(findings.proposals, start=1)]
    elif count:
        lines.append(words["nothing"])
    return "\n".join(lines)


def paste(number: int, proposal: Proposal) -> str:
    """The proposal as a part of the camera's `motion` section, with the masks or zones that are there already."""
    settings = proposal.settings
    lines = [f"    motion:  # {number}"]
    if proposal.change == "sensitivity":
        lines.append(f"      sensitivity: {settings.sensitivity}")
    elif proposal.change == "mask":
        lines += ["      masks:", *(f"        - {_yaml(mask)}" for mask in settings.masks)]
    else:
        lines.append("      zones:")
        for zone in settings.zones:
            lines += [f"        - name: {zone.name}", f"          area: {_yaml(zone.polygon)}"]
    return "\n".join(lines)


def as_json(findings: Findings) -> dict[str, object]:
    """The same for scripts: counts, and each proposal with its box and YAML."""
    return {
        "watched_s": round(findings.watched_s, 1),
        "alarms": len(findings.alarms),
        "staying": findings.staying,
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
                "yaml": paste(number, proposal),
            }
            for number, proposal in enumerate(findings.proposals, start=1)
        ],
    }


def _yaml(polygon: Polygon) -> str:
    return "[" + ", ".join(f"[{x:g}, {y:g}]" for x, y in polygon) + "]"
