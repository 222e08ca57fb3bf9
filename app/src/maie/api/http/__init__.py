"""HTTP itself: connections, authentication, request bodies, uploads, and answers that tell of a problem."""
