"""The memory plan: what each stage of the service needs, and whether the device has it."""

from maie.plan.plan import Plan, make_plan

__all__ = ["Plan", "make_plan"]
