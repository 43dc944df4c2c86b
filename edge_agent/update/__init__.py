"""Updates: a signed release becomes the one that runs, on probation, or the earlier one comes back."""
