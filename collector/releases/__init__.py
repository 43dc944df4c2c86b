"""Releases of the box's program: made and signed offline, taken in, offered to rings of boxes, followed."""
