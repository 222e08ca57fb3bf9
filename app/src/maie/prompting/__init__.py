"""Templates, and the messages that a language model gets."""
