"""ECLIP: several inference models on one AMD GPU, each group of kernels on the compute units it can use."""
