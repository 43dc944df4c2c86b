"""What moves in a picture: motion, zones, schedules and episodes, all pure."""
