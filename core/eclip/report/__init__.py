"""Results for people: comparison of strategies, plots, one HTML page that needs nothing else."""
