"""The gate on scans that are unlike the training data: how often it stops wrong and right ones."""
