"""What every long-running program of ours needs: clock, threads, configuration, logs, back-off, systemd, SQLite, files."""
