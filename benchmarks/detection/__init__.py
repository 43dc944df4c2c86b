"""Events, quiet and pixels that detectors get right on labelled recordings."""
