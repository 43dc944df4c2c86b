"""What every long-running program of ours needs, from clock and threads to configuration and durable files."""
