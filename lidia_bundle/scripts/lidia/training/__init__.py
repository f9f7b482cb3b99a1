"""Training: one update step, the order of the samples, the curriculum, EMA weights, checkpoints."""
