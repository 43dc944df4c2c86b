"""What reading less loses: the adaptive reader beside full decoding on the same files."""
