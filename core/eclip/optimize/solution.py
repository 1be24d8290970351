"""What a solver returns."""

from dataclasses import dataclass

from eclip.optimize.evaluate import Evaluation
from eclip.optimize.problem import Choice


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Sizes for every kernel of every worker, their worth, and a proof of how good that is."""

    choices: tuple[Choice, ...]
    evaluation: Evaluation
    lower_bound: float
    """No choices have a smaller objective. Valid whatever ended the search."""

    @property
    def objective(self) -> float:
        """Of the choices, as `evaluate` computes it."""
        return self.evaluation.objective

    @property
    def gap(self) -> float:
        """(objective - lower bound) / objective, never negative."""
        return max(0.0, (self.objective - self.lower_bound) / self.objective)
