"""Checks of a whole datalist before anything is trained on it: faults, leaks, and what is in it."""
