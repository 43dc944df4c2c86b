"""No secret stands in what is given to everybody (ETSI EN 303 645 5.4-3)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GIVEN = ("vonggac", "edge_agent", "collector", "deploy", "configs", "requirements")
KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40,}")
ASSIGNED = re.compile(
    r"""(?i)\b(?:password|passphrase|secret|token|api_?key|private_?key)\w*["']?\s*[:=]\s*["'][^"'{}$<>\s]{8,}["']"""
)
ALLOWED = (".json", "_file", "schema", ".secret", "http", "password_hash", "secret_hash")


def secrets_in(text: str) -> list[str]:
    """What looks like a key, or like a value given to something called a secret."""
    found = [match.group(0)[:40] for match in KEY.finditer(text)]
    return found + [
        match.group(0) for match in ASSIGNED.finditer(text) if not any(word in match.group(0) for word in ALLOWED)
    ]


def test_no_key_token_or_password_stands_in_the_programs() -> None:
    found = {}
    for top in GIVEN:
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".woff2", ".png", ".txt"):
                said = secrets_in(path.read_text(encoding="utf-8", errors="replace"))
                if said:
                    found[str(path.relative_to(ROOT))] = said
    assert found == {}


def test_a_secret_would_be_found() -> None:
    key = "-----BEGIN " + "PRIVATE KEY-----\n" + "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" + "\n"
    assert secrets_in(key)
    assert secrets_in('PASSWORD = "mat-khau-nha-may"')
    assert secrets_in("  api_key: 'c0ffee00c0ffee00'")
