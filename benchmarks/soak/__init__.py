"""Long runs of the real programs: nothing grows under faults, and a quiet hour writes next to nothing."""
