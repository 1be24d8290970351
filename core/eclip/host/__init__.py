"""What `eclip run` does: keep the workloads of a colocation file running in their slots, planned together."""
