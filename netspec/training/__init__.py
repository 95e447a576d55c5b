"""Declarations of training: what a train block can say, as typed, frozen values. `SETTINGS` lists it; `TrainPlan` holds one block.

Nothing here runs: an optimizer is its formulas, a schedule a function of the step, a reader its arguments. No numpy: `check` reads this.
"""

from netspec.training.declaration import Declaration
from netspec.training.losses import FIELD, Loss, Term
from netspec.training.plan import NOT_BUILT, Problem, TrainPlan, problems
from netspec.training.quantity import Quantity
from netspec.training.settings import SETTINGS, Setting, unknown_setting

__all__ = [
    "FIELD",
    "NOT_BUILT",
    "SETTINGS",
    "Declaration",
    "Loss",
    "Problem",
    "Quantity",
    "Setting",
    "Term",
    "TrainPlan",
    "problems",
    "unknown_setting",
]
