"""The program on the server: stores what the boxes send and raises alerts."""
