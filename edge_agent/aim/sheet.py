"""The hand-over sheet: one HTML file that needs nothing else, for the installer's folder; signed by the box.

It shows what each camera sees with its zones and masks, what `check` said, and who the box is. Nothing secret stands in
it: no password, no token. Zones are drawn as SVG over the picture, so that their names may be in any language.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.metadata import version
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.aim.words import Language, part_of
from edge_agent.check import Finding, StreamLook
from edge_agent.config import CameraSection, EdgeConfig
from vonggac.daemon.signatures import public_hex
from vonggac.wire.sheet import Seal, statement

_TEXTS = {
    "vi": {
        "title": "Biên bản bàn giao hộp máy",
        "made": "Lập lúc",
        "version": "Phiên bản",
        "server": "Máy chủ",
        "accepted": "Đạt: có thể bàn giao",
        "not_accepted": "Chưa đạt: còn mục SAI",
        "checks": "Kiểm tra",
        "camera": "Camera",
        "none": "Không có hình",
        "zones": "Vùng canh",
        "masks": "Vùng che",
        "whole": "Toàn bộ khung hình",
        "sensitivity": "độ nhạy",
        "right": "được",
        "wrong": "SAI",
        "advice": "nên",
        "installer": "Người lắp đặt",
        "household": "Chủ nhà / đơn vị",
        "officer": "Công an xã",
        "sign": "Ký, ghi rõ họ tên, ngày",
        "seal": "Tệp này được ký số bằng khóa của hộp. Kiểm tra trên máy chủ: collector box verify-sheet TỆP",
    },
    "en": {
        "title": "Hand-over sheet of a box",
        "made": "Made",
        "version": "Version",
        "server": "Server",
        "accepted": "Passed: may be handed over",
        "not_accepted": "Not passed: something is WRONG",
        "checks": "Checks",
        "camera": "Camera",
        "none": "No picture",
        "zones": "Zones",
        "masks": "Masks",
        "whole": "The whole picture",
        "sensitivity": "sensitivity",
        "right": "ok",
        "wrong": "WRONG",
        "advice": "note",
        "installer": "Installer",
        "household": "Household / place",
        "officer": "Police post",
        "sign": "Signature, name, date",
        "seal": "This file is signed with the box's key. To verify it on the server: collector box verify-sheet FILE",
    },
}
_STYLE = """
body{font:15px/1.45 "Liberation Sans",Arial,sans-serif;color:#111;max-width:900px;margin:24px auto;padding:0 16px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:24px 0 8px;break-after:avoid}
table{border-collapse:collapse;width:100%}
td,th{border:1px solid #999;padding:4px 8px;text-align:left;vertical-align:top}
.verdict{font-weight:700;padding:8px 12px;border:2px solid}.yes{border-color:#17693b;color:#17693b}
.no{border-color:#a31515;color:#a31515}.view{position:relative;break-inside:avoid;margin:8px 0}
.view img{display:block;width:100%}.view svg{position:absolute;inset:0;width:100%;height:100%}
.view span{position:absolute;background:#fff;border:1px solid #111;padding:0 4px;font-size:12px}
.zone{fill:rgb(30 160 80/.15);stroke:#0a7a3a}.mask{fill:rgb(60 60 60/.55);stroke:#222}
.zone,.mask{stroke-width:2;vector-effect:non-scaling-stroke}
.signs td{height:80px;width:33%}small{color:#444}code{word-break:break-all}
@media print{body{margin:0;max-width:none}}
"""


@dataclass(frozen=True)
class Facts:
    """What the sheet is made of. `made` is the local time as people write it."""

    config: EdgeConfig
    findings: Sequence[Finding]
    looks: Sequence[StreamLook]
    made: str


def make_sheet(facts: Facts, key: Ed25519PrivateKey, language: Language) -> bytes:
    """The whole file, sealed."""
    box, public = facts.config.box, public_hex(key)
    page = _page(facts, public, language).encode("utf-8")
    return page + Seal(box, public, key.sign(statement(box, page)).hex()).line()


def _page(facts: Facts, public: str, language: Language) -> str:
    t, config = _TEXTS[language], facts.config
    passed = all(finding.ok for finding in facts.findings)
    title = f"{t['title']} {config.box}"
    lines = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">",
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        f"<p>{t['made']} {escape(facts.made)} · {t['version']} {escape(version('vonggac'))} · "
        f"{t['server']} {escape(config.collector.url)}</p>",
        f'<p class="verdict {"yes" if passed else "no"}">{t["accepted"] if passed else t["not_accepted"]}</p>',
    ]
    for camera in config.cameras:
        lines += _camera(camera, facts, language)
    lines.append(f"<h2>{t['checks']}</h2><table>")
    for finding in facts.findings:
        word = t["advice"] if finding.is_advice else t["right"] if finding.ok else t["wrong"]
        part, text = part_of(finding.part, language), finding.say(language)
        lines.append(f"<tr><td>{word}</td><th>{escape(part)}</th><td>{escape(text)}</td></tr>")
    signs = "".join(f"<td>{t[who]}<br><small>{t['sign']}</small></td>" for who in ("installer", "household", "officer"))
    lines.append(f'</table><h2></h2><table class="signs"><tr>{signs}</tr></table>')
    lines.append(f"<p><small>{t['seal']}<br><code>{public}</code></small></p></body></html>\n")
    return "\n".join(lines)


def _camera(camera: CameraSection, facts: Facts, language: Language) -> Iterable[str]:
    t, settings = _TEXTS[language], camera.motion.settings()
    yield f"<h2>{t['camera']} {escape(camera.name)}</h2>"
    look = next((seen.look for seen in facts.looks if seen.camera == camera.name and seen.look is not None), None)
    if look is None:
        yield f"<p>{t['none']}</p>"
    else:
        shapes = [_polygon("zone", zone.polygon) for zone in settings.zones]
        shapes += [_polygon("mask", mask) for mask in settings.masks]
        labels = "".join(_label(zone.name, zone.polygon) for zone in settings.zones)
        picture = base64.b64encode(look.jpeg).decode("ascii")
        yield (
            f'<div class="view"><img alt="{escape(camera.name)}" src="data:image/jpeg;base64,{picture}">'
            f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none">{"".join(shapes)}</svg>{labels}</div>'
        )
    zones = ", ".join(escape(zone.name) for zone in settings.zones) or t["whole"]
    masks = f"{t['masks']}: {len(settings.masks)} · {t['sensitivity']} {settings.sensitivity}"
    yield f"<p>{t['zones']}: {zones} · {masks}</p>"


def _polygon(kind: str, points: Iterable[tuple[float, float]]) -> str:
    corners = " ".join(f"{x * 1000:.0f},{y * 1000:.0f}" for x, y in points)
    return f'<polygon class="{kind}" points="{corners}"/>'


def _label(name: str, points: Sequence[tuple[float, float]]) -> str:
    left, top = min(x for x, _ in points) * 100, min(y for _, y in points) * 100
    return f'<span style="left:{left:.1f}%;top:{top:.1f}%">{escape(name)}</span>'


def local_now(time_zone: str, wall_ms: int) -> str:
    """The moment as it stands on the sheet."""
    return datetime.fromtimestamp(wall_ms / 1000, ZoneInfo(time_zone)).strftime("%d/%m/%Y %H:%M %Z")
