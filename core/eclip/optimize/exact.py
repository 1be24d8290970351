"""The fast path: prices on CUs for a lower bound, then everything that could still be better, looked at.

1. A front per distinct worker: its choices as points (time, CUs, hops, sizes in use), see `fronts`.
2. The sum of shares is cut into nodes; a price on CUs bounds each, see `bounds`.
3. Descent from the points that the prices like gives an incumbent.
4. Nodes in order of their bounds: those below the incumbent are joined (`join`), or split where that is too much, by
   the sum of shares or by the share of one worker.

The lower bound is the least over all nodes that are left, so it is valid whenever the search ends.
"""

from collections.abc import Callable

from eclip.optimize.effort import Effort
from eclip.optimize.evaluate import evaluate
from eclip.optimize.problem import Problem
from eclip.optimize.search import Search
from eclip.optimize.solution import Solution


def solve(problem: Problem, effort: Effort | None = None, expired: Callable[[], bool] = lambda: False) -> Solution:
    """Least objective within the constraints.

    Raises InfeasibleError, naming what is impossible and by how much.
    """
    search = Search(problem, effort or Effort(), expired)
    best, lower_bound = search.run()
    choices = tuple(front.choice(point) for front, point in zip(search.offers.fronts, best.points, strict=True))
    evaluation = evaluate(problem, choices)
    return Solution(choices, evaluation, min(lower_bound, evaluation.objective))
