"""Errors as RFC 9457 problem details: what is wrong, where, and what to do."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response


class Problem(Exception):
    """A request that cannot be answered as asked. `where` names the parameter or the thing."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.where = where
        self.hint = hint
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The `application/problem+json` answer."""
        body: dict[str, str | int] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.where is not None:
            body["where"] = self.where
        if self.hint is not None:
            body["hint"] = self.hint
        return JSONResponse(body, self.status, self.headers, media_type="application/problem+json")


def not_found(what: str, name: str) -> Problem:
    """404: there is nothing of that name, or the asker may not know of it."""
    return Problem(404, f"There is no {what} {name[:60]!r}.", where=what, hint="It may have been deleted by retention.")
