"""The memory plan: what each phase of the service's work needs, and whether the device has it."""

from maie.plan.plan import Plan, make_plan

__all__ = ["Plan", "make_plan"]
