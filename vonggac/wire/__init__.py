"""The contract between box and collector: messages, topics and their JSON form. Pure; imports nothing of ours."""
