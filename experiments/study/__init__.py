"""Train and compare all methods of the paper on phantom cohorts; write the published tables."""
