"""The arrows of docs/design/architecture.md and its rules of purity, checked on the source of every module.

Each rule is a line in RULES: the modules it is for, and what these may not do. The tests at the end show on small bad
snippets that each kind of rule can fail.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("vonggac", "edge_agent", "collector", "deploy")

PURE = (
    "vonggac.wire",
    "vonggac.wire.*",
    "edge_agent.vision",
    "edge_agent.vision.*",
    "edge_agent.camera.attention",
    "edge_agent.camera.glance",
    "edge_agent.camera.ring",
    "edge_agent.camera.rtp",
    "edge_agent.camera.sdp",
    "edge_agent.camera.sizes",
    "edge_agent.camera.timeline",
    "collector.fleet.availability",
    "collector.fleet.completeness",
    "collector.fleet.gaps",
    "collector.fleet.grouping",
    "collector.fleet.state",
    "collector.store.dating",
    "collector.alerts.roster",
    "collector.alerts.rules",
    "collector.alerts.sky",
    "collector.alerts.incidents",
    "collector.alerts.mutes",
    "collector.ingest.permissions",
)
# What would bring a clock, a thread, a file, a network, a database or a camera into a pure module.
IMPURE = (
    "time", "threading", "_thread", "queue", "concurrent", "multiprocessing", "asyncio", "signal", "subprocess",
    "socket", "ssl", "selectors", "http", "urllib.request", "requests", "httpx", "aiohttp",
    "pathlib", "shutil", "tempfile", "io", "os", "glob",
    "sqlite3", "sqlalchemy", "alembic", "av", "paho", "pydantic", "yaml", "structlog", "logging",
    "vonggac.daemon",
)  # fmt: skip
# Names that are impure though their module is not.
IMPURE_NAMES = ("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today")
IMPURE_CALLS = ("open", "input", "print")


@dataclass(frozen=True)
class Rule:
    """`modules` may not import `banned`, except those in `but`."""

    reason: str
    modules: tuple[str, ...]
    banned: tuple[str, ...]
    but: tuple[str, ...] = ()


RULES = (
    Rule("the agent does not know the collector", ("edge_agent", "edge_agent.*"), ("collector", "deploy")),
    Rule("the collector does not know the agent", ("collector", "collector.*"), ("edge_agent", "deploy")),
    Rule(
        "what both stand on knows neither program",
        ("vonggac", "vonggac.*"),
        ("edge_agent", "collector", "deploy"),
    ),
    Rule(
        "the contract stands alone",
        ("vonggac.wire", "vonggac.wire.*"),
        ("vonggac", "edge_agent", "collector", "deploy"),
        but=("vonggac.wire",),
    ),
    Rule(
        "the demo runs the real programs from outside",
        ("deploy.demo", "deploy.demo.*"),
        ("edge_agent", "collector", "vonggac"),
    ),
    Rule("PURE: time and data come in as arguments", PURE, IMPURE),
)


@dataclass(frozen=True)
class Home:
    """`library` is imported in `homes` and nowhere else in the programs."""

    library: str
    homes: tuple[str, ...]


HOMES = (
    Home("av", ("edge_agent.camera.*", "edge_agent.recording.*", "collector.playback.*", "deploy.demo.*")),
    Home("paho", ("edge_agent.uplink.mqtt", "collector.ingest.mqtt")),
    Home("sqlite3", ("edge_agent.outbox", "edge_agent.outbox.*", "collector.store.*", "vonggac.daemon.sqlite")),
    Home("sqlalchemy", ("collector.store", "collector.store.*")),
    Home("alembic", ("collector.store", "collector.store.*")),
    Home("pydantic", ("edge_agent.config", "collector.config", "collector.config_alerts", "vonggac.daemon.config")),
    Home("onveef", ("edge_agent.aim.onvif",)),
    Home("apprise", ("collector.alerts.*",)),
    Home("systemd", ("vonggac.daemon.*",)),
    Home("multiprocessing", ()),
    Home("asyncio", ("collector.*",)),
)
CATCHES_EVERYTHING = ("vonggac.daemon.*",)


def _matches(module: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(module, pattern) for pattern in patterns)


def _under(module: str, parents: tuple[str, ...]) -> bool:
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def imports_of(module: str, source: str, *, package: bool = False) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of all that a module imports, wherever in it; also what it names of datetime."""
    parent = module if package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = parent.split(".")[: len(parent.split(".")) - node.level + 1]
                base = ".".join([*up, base]).strip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in ("__import__",):
            yield node.lineno, "__import__"


def broken_rules(module: str, source: str, *, package: bool = False) -> list[str]:
    """What a module does that its place in the house does not allow, one line each."""
    found = list(imports_of(module, source, package=package))
    wrong = []
    for line, name in found:
        wrong += [
            f"{module}:{line}: imports {name}: {rule.reason}"
            for rule in RULES
            if _matches(module, rule.modules) and _under(name, rule.banned) and not _under(name, rule.but)
        ]
        wrong += [
            f"{module}:{line}: imports {name}: only {', '.join(home.homes) or 'nobody'} may"
            for home in HOMES
            if _under(name, (home.library,)) and not _matches(module, home.homes)
        ]
    tree = ast.parse(source)
    if _matches(module, PURE):
        wrong += [f"{module}:{line}: {what}: PURE" for line, what in _impure_acts(tree)]
    if not _matches(module, CATCHES_EVERYTHING):
        wrong += [f"{module}:{line}: catches everything" for line in _broad_handlers(tree)]
    return wrong


def _impure_acts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in IMPURE_CALLS or any(f"datetime.{called}".endswith(name) for name in IMPURE_NAMES):
            yield node.lineno, f"calls {called}"


def _broad_handlers(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
                continue  # puts something in order and lets the exception go on
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(each is None or ast.unparse(each) in ("Exception", "BaseException") for each in caught):
                yield node.lineno


def _modules() -> Iterator[tuple[str, Path]]:
    for top in OURS:
        for file in sorted((ROOT / top).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def test_every_module_keeps_to_its_place_in_the_house() -> None:
    wrong = []
    for module, file in _modules():
        wrong += broken_rules(module, file.read_text(encoding="utf-8"), package=file.name == "__init__.py")
    assert not wrong, "\n".join(wrong)


def test_every_named_pure_module_exists() -> None:
    there = [module for module, _ in _modules()]
    missing = [pattern for pattern in PURE if not any(fnmatch(module, pattern) for module in there)]
    assert not missing


def test_no_file_is_longer_than_can_be_read_at_one_sitting() -> None:
    long = [
        f"{file.relative_to(ROOT)}: {lines} lines"
        for _, file in _modules()
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 500
    ]
    assert not long


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("edge_agent.agent", "import collector.config"),
        ("edge_agent.agent", "from collector import config"),
        ("edge_agent.uplink.mqtt", "def late():\n    import collector"),
        ("collector.collector", "from edge_agent.config import EdgeConfig"),
        ("collector.web.pages", "from ...edge_agent import config"),
        ("vonggac.daemon.logs", "import edge_agent"),
        ("vonggac.wire.codec", "from vonggac.daemon.clock import Clock"),
        ("vonggac.wire.codec", "from ..daemon import clock"),
        ("vonggac.wire.codec", "import time"),
        ("vonggac.wire.codec", "from datetime import datetime\nx = datetime.now()"),
        ("vonggac.wire.codec", "import datetime\nx = datetime.datetime.now()"),
        ("edge_agent.vision.motion", "import threading"),
        ("edge_agent.vision.motion", "open('file')"),
        ("edge_agent.vision.motion", "import av"),
        ("edge_agent.camera.ring", "from pathlib import Path"),
        ("collector.fleet.state", "import sqlalchemy"),
        ("collector.alerts.rules", "from sqlalchemy import select"),
        ("collector.alerts.incidents", "from vonggac.daemon import clock"),
        ("edge_agent.agent", "import av"),
        ("edge_agent.uplink.upload", "from paho.mqtt import client"),
        ("collector.web.pages", "from sqlalchemy import text"),
        ("collector.ingest.mqtt", "import sqlite3"),
        ("edge_agent.agent", "import pydantic"),
        ("edge_agent.agent", "from multiprocessing import Process"),
        ("edge_agent.agent", "import asyncio"),
        ("edge_agent.agent", "try:\n    pass\nexcept Exception:\n    pass"),
        ("collector.retention", "try:\n    pass\nexcept (OSError, BaseException):\n    pass"),
        ("collector.retention", "try:\n    pass\nexcept:\n    pass"),
        ("deploy.demo.__main__", "from collector.config import CollectorConfig"),
        ("deploy.demo.__main__", "import edge_agent"),
    ],
)
def test_a_module_that_leaves_its_place_is_found(module: str, source: str) -> None:
    assert broken_rules(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("edge_agent.agent", "from vonggac.daemon.clock import Clock\nimport edge_agent.config"),
        ("vonggac.wire.codec", "from vonggac.wire.messages import Birth\nimport json\nfrom datetime import timedelta"),
        ("vonggac.wire.codec", "from .messages import Birth"),
        ("edge_agent.vision.motion", "import cv2\nimport numpy as np\nimport math"),
        ("edge_agent.camera.source", "import av"),
        ("collector.store.database", "import sqlalchemy"),
        ("vonggac.daemon.threads", "try:\n    pass\nexcept Exception:\n    pass"),
        ("edge_agent.camera.source", "try:\n    pass\nexcept OSError:\n    pass"),
        ("edge_agent.outbox.outbox", "try:\n    pass\nexcept BaseException:\n    close()\n    raise"),
    ],
)
def test_a_module_in_its_place_is_left_alone(module: str, source: str) -> None:
    assert broken_rules(module, source) == []
