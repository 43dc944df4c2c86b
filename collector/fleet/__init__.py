"""State of boxes and cameras: a pure table and the loop that watches it."""
