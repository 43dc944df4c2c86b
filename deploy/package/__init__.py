"""Makes the Debian packages of agent and collector, each with a virtual environment of its own, for any machine."""
