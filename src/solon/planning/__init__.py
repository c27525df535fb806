"""``solon plan``: what a recipe would ask of which model, what that would cost and how long it would take."""

from solon.planning.nouns import Change, Disk, Plan, Row, Ways
from solon.planning.plan import plan_of

__all__ = ["Change", "Disk", "Plan", "Row", "Ways", "plan_of"]
