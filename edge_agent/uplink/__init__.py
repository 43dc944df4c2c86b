"""The way to the collector: MQTT for messages, resumable upload for clips; both only drain the outbox."""
