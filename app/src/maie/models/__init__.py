"""The models that the project knows: what they are, where they can be had, and whether those here are sound."""
