"""The pipeline: which stages there are, and how a task runs through them."""
