"""Asking the collector for a certificate, over HTTPS against the pinned authority and nothing else."""

import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from vonggac.wire import enrolment as wire

TIMEOUT_S = (10.0, 30.0)
_MOST_ANSWER_BYTES = 64 * 1024


class AnswerRefused(Exception):
    """The server gives no certificate: the text says why. Asking again the same way helps nothing."""


class NoAnswer(Exception):
    """The server was not reached, or could not answer now: ask again later."""


class PinnedAdapter(HTTPAdapter):
    """HTTPS by one TLS context; `requests` would load the public authorities into it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **how: Any) -> None:
        """As the library does, with our context."""
        super().init_poolmanager(*args, **how, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to add: the context says it all."""


def ask(context: ssl.SSLContext, url: str, body: bytes) -> wire.Issued:
    """POST to `url`. Raises AnswerRefused, NoAnswer."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", PinnedAdapter(context))
            answer = session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
            text = answer.text[:300].strip()
    except requests.exceptions.SSLError as error:
        raise AnswerRefused(f"{url}: is not the server of this bundle: {tls_reason(error)}") from None
    except requests.RequestException as error:
        raise NoAnswer(f"{url}: cannot be reached ({type(error).__name__})") from None
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise NoAnswer(f"{url}: cannot answer now (HTTP {answer.status_code}): {text}")
    if answer.status_code != 200:
        raise AnswerRefused(f"the server gives no certificate: {text or f'HTTP {answer.status_code}'}")
    try:
        return wire.parse_issued(answer.content[:_MOST_ANSWER_BYTES])
    except ValueError as error:
        raise NoAnswer(f"{url}: its answer makes no sense: {error}") from None


def tls_reason(error: BaseException) -> str:
    """OpenSSL's own word for what went wrong, out of all that is wrapped around it."""
    inner: BaseException | None = error
    for _depth in range(8):
        if isinstance(inner, ssl.SSLError):
            return str(getattr(inner, "verify_message", None) or inner.reason or inner).lower().replace("_", " ")
        following = getattr(inner, "reason", None) or (inner.args[-1] if inner is not None and inner.args else None)
        if not isinstance(following, BaseException):
            break
        inner = following
    return type(error).__name__


def whoami(context: ssl.SSLContext, url: str) -> str:
    """Say hello with the certificate: the box's id as the server knows it. Raises AnswerRefused, NoAnswer."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", PinnedAdapter(context))
            answer = session.get(f"{url}{wire.WHOAMI_PATH}", timeout=TIMEOUT_S, allow_redirects=False)
    except requests.exceptions.SSLError as error:
        raise AnswerRefused(f"{url}: TLS fails: {tls_reason(error)}") from None
    except requests.RequestException as error:
        raise NoAnswer(f"{url}: cannot be reached ({type(error).__name__})") from None
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise NoAnswer(f"{url}: cannot answer now (HTTP {answer.status_code})")
    if answer.status_code != 200:
        raise AnswerRefused(f"the server does not let this box in: {answer.text[:300].strip()}")
    return str(answer.json().get("box", ""))
