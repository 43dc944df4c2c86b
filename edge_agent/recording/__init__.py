"""Clips: packets copied into fragmented MP4, salvage after a power cut, snapshots."""
