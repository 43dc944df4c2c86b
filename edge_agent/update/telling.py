"""What the agent tells of updates in its heartbeats: it reads what the updater noted, and has no other part in them."""

from importlib.metadata import version
from pathlib import Path

from edge_agent.update.layout import Layout
from edge_agent.update.state import read_state
from vonggac.wire.messages import UpdateHealth

_LONGEST_REASON = 300


def update_health(root: Path) -> UpdateHealth:
    """Of the folder of releases; without one, the running version alone."""
    state = read_state(Layout(root).work)
    return UpdateHealth(
        version=version("vonggac"),
        step=state.step,
        target=state.target,
        reason=None if state.reason is None else state.reason[:_LONGEST_REASON],
        percent=state.percent,
        since_ms=state.since_ms,
    )
