"""Feed, search, day strip and fleet pages over a large database, while people read and boxes tell."""
