"""Notes taken line by line, for models that are too small to write them all at once."""
