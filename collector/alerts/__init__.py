"""Rules and incidents (pure), and the durable delivery of alerts."""
