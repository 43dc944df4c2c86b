"""What comes in from boxes: messages over MQTT, clips over HTTP; and the embedded broker."""
