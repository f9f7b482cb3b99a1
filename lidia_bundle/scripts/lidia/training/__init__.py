"""Training: update step, sampling, curriculum, averaged weights, checkpoints, logging."""
