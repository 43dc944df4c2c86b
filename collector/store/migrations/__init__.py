"""How a database of any earlier version becomes one of this version (Alembic)."""

from pathlib import Path

from alembic.config import Config


def alembic_config(url: str) -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    return config
