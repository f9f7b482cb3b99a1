"""From files to tensors: loading, one grid for all phases, targets, augmentation, cache."""
