"""The durable queue on the box: events, snapshots and clips wait here until the collector's receipt."""
