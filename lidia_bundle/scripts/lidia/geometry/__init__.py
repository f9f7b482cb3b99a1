"""Volumes and grids in space, and resampling between grids."""
