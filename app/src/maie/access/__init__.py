"""Who may ask this deployment for what: API keys, its offer, and the certificate of its TLS."""
