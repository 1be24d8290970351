"""Which size each kernel gets: one problem, one evaluation, two solvers (`exact` and `ilp`) that are checked against it."""
