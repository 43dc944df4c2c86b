"""A desk on a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.alerts.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.add_camera("hop-1", "gate")
    made.add_camera("hop-1", "hall")
    yield made
    made.database.close()
