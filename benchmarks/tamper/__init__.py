"""Whether the picture's health is told: what is done to cameras, done to recordings."""
