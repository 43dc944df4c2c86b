"""Faults without end against the real programs, and an audit from outside of what was lost."""
