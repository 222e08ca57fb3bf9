"""The worker process: takes tasks from the queue and has the engine do them."""
