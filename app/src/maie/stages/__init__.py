"""The stages of the pipeline: typed value in, typed value out, no Redis, no HTTP, no globals."""
