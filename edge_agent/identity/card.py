"""The boot partition of a box that was flashed (`collector box flash`): what may not stay once the box is enrolled.

cloud-init is switched off before anything is taken away: it has done its work, and must neither miss its files at the
next start nor take what somebody puts there later.
"""

from pathlib import Path

from vonggac.daemon.bundles import shred
from vonggac.daemon.files import sync_folder, write_durably

NETWORK_CONFIG, USER_DATA = "network-config", "user-data"
ETC_CLOUD, VAR_CLOUD = Path("/etc/cloud"), Path("/var/lib/cloud")
_COPIES = ("instances/*/user-data.txt*", "instances/*/cloud-config.txt", "instances/*/network-config.json")


def scrub_card(card: Path, etc: Path = ETC_CLOUD, state: Path = VAR_CLOUD) -> None:
    """Wi-Fi password and first-boot instructions, on the card and where cloud-init keeps copies. Raises OSError."""
    if etc.is_dir() and not (etc / "cloud-init.disabled").exists():
        write_durably(etc / "cloud-init.disabled", b"Set up once, by Vong Gac's first start.\n", mode=0o644)
    copies = [path for pattern in _COPIES for path in sorted(state.glob(pattern))]
    for path in (card / USER_DATA, *copies, card / NETWORK_CONFIG):
        shred(path)
    sync_folder(card)
