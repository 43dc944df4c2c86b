"""What Mosquitto needs to know boxes by certificate, as files in a folder of its own (see deploy/mosquitto)."""

import json
from pathlib import Path
from typing import Any

from collector.identity.authority import AUTHORITY, REVOKED, SERVER, SERVER_KEY, Authority
from collector.identity.certificates import COLLECTOR_NAME
from collector.ingest.permissions import TOPIC
from vonggac.daemon.files import make_folder, write_durably
from vonggac.wire.topics import ROOT

PLUGIN_STATE = "dynamic-security.json"


def write_files(authority: Authority, folder: Path) -> list[str]:
    """Names of the files written; the plugin's state is written only where there is none. Raises OSError."""
    make_folder(folder)
    names = [AUTHORITY, SERVER, SERVER_KEY, REVOKED]
    for name in names:
        write_durably(folder / name, authority.file(name).read_bytes(), mode=0o600)
    if not (folder / PLUGIN_STATE).exists():
        write_durably(folder / PLUGIN_STATE, json.dumps(plugin_state(), indent=1).encode())
        names.append(PLUGIN_STATE)
    return names


def plugin_state() -> dict[str, Any]:
    """Nobody may anything but the collector: read and answer boxes, and say who else may connect."""
    acls = [
        {"acltype": kind, "topic": topic, "priority": 0, "allow": True}
        for topic in (f"{ROOT}/#", f"{TOPIC}/#")
        for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")
    ]
    return {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [{"username": COLLECTOR_NAME, "roles": [{"rolename": "collector", "priority": 0}]}],
        "groups": [],
        "roles": [{"rolename": "collector", "acls": acls}],
    }
