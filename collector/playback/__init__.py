"""Copies of clips that every browser plays, made on demand; the clip itself is never touched."""
