"""Pages from templates: escaped, with the texts, formats and rights that every page needs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer
from starlette.requests import Request
from starlette.responses import HTMLResponse

from collector.web import shapes
from collector.web.desk import Asked, Desk
from collector.web.wording import Wording

_FOLDER = Path(__file__).parent / "templates"


class _Context(Context):
    """Calls what it is told to call; the library first looks whether it wants the context, which nothing here does."""

    def call(self, callee: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
        """Called by every template for every call."""
        named.pop("_block_vars", None)
        named.pop("_loop_vars", None)
        return callee(*given, **named)


class _Texts(NodeTransformer):
    """Puts the text in the place of `t("its.name")` while a template is compiled: most of a page's calls are that."""

    def __init__(self, words: Wording) -> None:
        self._words = words

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - the library's name for it
        """A call whose text is known now becomes the text."""
        self.generic_visit(node)
        match node:
            case nodes.Call(
                node=nodes.Name(name="t"), args=[nodes.Const(value=str(key))], kwargs=[], dyn_args=None, dyn_kwargs=None
            ):
                return nodes.Const(self._words(key), lineno=node.lineno)
        return node


class _Templates(Environment):
    """The templates in one language."""

    context_class = _Context

    def __init__(self, words: Wording) -> None:
        super().__init__(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._words = words

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        whole: nodes.Template = _Texts(self._words).visit(super()._parse(source, name, filename))
        return whole


def make_templates(words: Wording) -> Environment:
    """Jinja2 that escapes everything and stumbles over every name that a page was not given."""
    environment = _Templates(words)
    environment.globals["snapshot_url"] = shapes.snapshot_url
    environment.globals["clip_url"] = shapes.clip_url
    return environment


def render(desk: Desk, asked: Asked, template: str, status: int = 200, **given: Any) -> HTMLResponse:
    """The page. Templates know: t, f, now_ms, identity, path, change and what is given."""
    text = (
        desk.templates[asked.words.language]
        .get_template(template)
        .render(
            t=asked.words,
            f=asked.formats,
            now_ms=asked.now_ms,
            identity=asked.identity,
            path=own_path(asked.request),
            change=asked.change,
            **given,
        )
    )
    return HTMLResponse(text, status, {"vary": "cookie"})


def own_path(request: Request) -> str:
    """Where a form sends the browser back to: this page with its query."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
