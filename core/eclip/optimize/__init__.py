"""Which size each kernel gets: one problem, one evaluation, two solvers (`exact`, `ilp`) checked against it."""
