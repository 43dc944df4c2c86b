"""Pages from templates: escaped, with the texts, formats and rights that every page needs."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from collector.web import shapes
from collector.web.desk import Asked, Desk

_FOLDER = Path(__file__).parent / "templates"


def make_templates() -> Environment:
    """Jinja2 that escapes everything and stumbles over every name that a page was not given."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["snapshot_url"] = shapes.snapshot_url
    environment.globals["clip_url"] = shapes.clip_url
    return environment


def render(desk: Desk, asked: Asked, template: str, status: int = 200, **given: Any) -> HTMLResponse:
    """The page. Templates know: t, f, now_ms, identity, path, change and what is given."""
    text = desk.templates.get_template(template).render(
        t=asked.words,
        f=asked.formats,
        now_ms=asked.now_ms,
        identity=asked.identity,
        path=own_path(asked.request),
        change=asked.change,
        **given,
    )
    return HTMLResponse(text, status, {"vary": "cookie"})


def own_path(request: Request) -> str:
    """Where a form sends the browser back to: this page with its query."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
