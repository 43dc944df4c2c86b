"""docs/security.md: every test that it names is there, every clause that was asked for has its row."""

import ast
import re
from pathlib import Path

from vonggac.wire.messages import BoxHealth

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ETSI = [
    "5.1-1",
    "5.1-2",
    "5.1-5",
    "5.3-2",
    "5.3-7",
    "5.3-10",
    "5.4-1",
    "5.4-3",
    "5.5-1",
    "5.5-5",
    "5.5-7",
    "5.6-1",
    "5.6-2",
    "5.6-7",
    "5.7-2",
    "5.8-2",
    "5.8-3",
    "5.9-1",
    "5.9-2",
    "5.9-3",
    "5.11-1",
    "5.13-1",
]
ASVS = [
    "6.2.1",
    "6.2.4",
    "6.3.1",
    "6.3.2",
    "7.3.1",
    "7.4.2",
    "8.2.1",
    "8.2.2",
    "11.4.2",
    "12.1.4",
    "12.3.1",
    "12.3.2",
    "12.3.3",
    "12.3.4",
    "12.3.5",
    "13.4.6",
    "16.2.5",
    "16.3.1",
    "16.3.2",
    "16.4.1",
]
# What each figure of a heartbeat is called in the document.
SENSED = {
    "processor": ("cpu", "load"),
    "memory": ("memory", "rss"),
    "disk": ("disk", "written"),
    "temperature": ("temperature",),
    "power supply": ("throttled",),
    "its program": ("changed",),
}
BARE = ("run_began_mono_ms", "uptime_ms")


def missing_tests(text: str) -> list[str]:
    """Tests, and files of tests, that the text names and that are not there."""
    missing = []
    for path, name in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text):
        file = ROOT / path
        if not file.exists():
            missing.append(path)
        elif name:
            body = ast.parse(file.read_text(encoding="utf-8")).body
            defined = {node.name for node in body if isinstance(node, ast.FunctionDef)}
            if name not in defined:
                missing.append(f"{path}::{name}")
    return missing


def rows() -> dict[str, str]:
    """The row of each clause."""
    return dict(re.findall(r"^\| (\d+\.\d+(?:-\d+|\.\d+)) \|(.*)$", TEXT, re.MULTILINE))


def test_every_test_that_is_named_is_there() -> None:
    assert missing_tests(TEXT) == []


def test_every_clause_has_a_row_that_names_a_test() -> None:
    assert sorted(rows()) == sorted([*ETSI, *ASVS])
    assert [clause for clause, row in rows().items() if "::test_" not in row] == []


def test_a_name_that_is_not_there_is_found() -> None:
    there = "tests/unit/test_security_document.py"
    assert missing_tests(f"`{there}::test_nothing` `tests/unit/none.py` `{there}`") == [
        f"{there}::test_nothing",
        "tests/unit/none.py",
    ]


def test_all_that_a_box_tells_of_itself_is_documented() -> None:
    section = TEXT.split("## What a box senses")[1].split("\n## ")[0]
    known = [part for word, parts in SENSED.items() if word in section for part in parts]
    fields = [name for name in BoxHealth.__dataclass_fields__ if name not in BARE]
    assert [name for name in fields if not any(part in name for part in known)] == []
    assert "audio is neither recorded nor sent" in section
