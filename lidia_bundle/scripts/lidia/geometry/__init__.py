"""Volumes and grids in space: one grid onto another."""
