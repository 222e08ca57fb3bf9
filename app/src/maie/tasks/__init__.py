"""Tasks in Redis and on the disk: the one place that knows what is true of each."""
