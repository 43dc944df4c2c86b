"""The boot partition of a box that was flashed (`collector box flash`): what may not stay once the box is enrolled.

cloud-init is switched off before anything is taken away: it has done its work, and must neither miss its files at the
next start nor take what somebody puts there later. That is done only where the card is this machine's own.
"""

from pathlib import Path

from vonggac.daemon.bundles import shred
from vonggac.daemon.files import sync_folder, write_durably

NETWORK_CONFIG, USER_DATA = "network-config", "user-data"
BOOT = Path("/boot/firmware")
ETC_CLOUD, VAR_CLOUD = Path("/etc/cloud"), Path("/var/lib/cloud")


def scrub_card(card: Path) -> None:
    """Wi-Fi password and first-boot instructions, on the card and where cloud-init keeps copies. Raises OSError."""
    if card.resolve() == BOOT:
        end_first_boot(ETC_CLOUD, VAR_CLOUD)
    for name in (USER_DATA, NETWORK_CONFIG):
        shred(card / name)
    sync_folder(card)


def end_first_boot(etc: Path, state: Path) -> None:
    """cloud-init's configuration and state folders: it does not run again, and keeps no copy of what it was told."""
    if etc.is_dir() and not (etc / "cloud-init.disabled").exists():
        write_durably(etc / "cloud-init.disabled", b"Set up once, by Vong Gac's first start.\n", mode=0o644)
    for path in sorted(state.glob("instances/*/*")):
        shred(path)
