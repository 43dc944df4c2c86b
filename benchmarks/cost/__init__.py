"""CPU and memory of whole processes: the agent beside Motion on the same streams in the same run."""
