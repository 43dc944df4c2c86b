"""Ways to reach people: one protocol, a file for each kind."""
