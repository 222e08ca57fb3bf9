"""The engine process: a child that holds the models and runs the stages, and its parent's side of it."""

from maie.engine.process import Engine, Tick
from maie.engine.swap import engine_for

__all__ = ["Engine", "Tick", "engine_for"]
