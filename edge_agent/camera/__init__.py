"""Camera sources, packet ring and capture loop: the only way in for pictures."""
