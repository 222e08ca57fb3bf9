"""What a clean transcript may change of what was said, and what it must keep."""
