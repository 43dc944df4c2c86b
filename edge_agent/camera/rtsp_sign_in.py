"""How a request to a camera proves who asks. Sources: RFC 2617 and RFC 7616 (Basic; Digest with MD5 or SHA-256)."""

import base64
import hashlib
import os
import re

from edge_agent.camera.rtp import Unfamiliar

_DIGESTS = {"": "md5", "MD5": "md5", "SHA-256": "sha256"}
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


class SignIn:
    """One connection's; says nothing before the camera asked."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._scheme = ""
        self._told: dict[str, str] = {}
        self._count = 0

    def answers(self, challenges: list[str]) -> bool:
        """Take the camera's `WWW-Authenticate`; False where asking again makes no sense: nobody to be, or refused.

        Raises Unfamiliar where the camera offers no way that is known here.
        """
        for challenge in sorted(challenges, key=lambda text: not text.lower().startswith("digest")):
            scheme, _, rest = challenge.strip().partition(" ")
            scheme = scheme.lower()
            told = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(rest)}
            ways = [way.strip() for way in told.get("qop", "auth").split(",")]
            known = scheme == "digest" and told.get("algorithm", "").upper() in _DIGESTS and "auth" in ways
            if scheme == "basic" or known:
                again = not self._scheme or told.get("stale", "").lower() == "true"
                self._scheme, self._told, self._count = scheme, told, 0
                return again and bool(self._user)
        raise Unfamiliar("a way to sign in")

    def header(self, method: str, url: str) -> str:
        """The value of `Authorization`; "" before the camera asked."""
        if not self._scheme:
            return ""
        if self._scheme == "basic":
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        told, realm, nonce = self._told, self._told.get("realm", ""), self._told.get("nonce", "")
        algorithm = _DIGESTS[told.get("algorithm", "").upper()]

        def digest(*parts: str) -> str:
            return hashlib.new(algorithm, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

        who, what = digest(self._user, realm, self._password), digest(method, url)
        fields = f'username="{self._user}", realm="{realm}", nonce="{nonce}", uri="{url}"'
        if "qop" in told:
            self._count += 1
            ours, count = os.urandom(8).hex(), f"{self._count:08x}"
            fields += f', qop=auth, nc={count}, cnonce="{ours}", response="'
            fields += digest(who, nonce, count, ours, "auth", what)
        else:
            fields += ', response="' + digest(who, nonce, what)
        fields += '"'
        if "opaque" in told:
            fields += f', opaque="{told["opaque"]}"'
        if "algorithm" in told:
            fields += f", algorithm={told['algorithm']}"
        return f"Digest {fields}"
