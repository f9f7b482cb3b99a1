"""Measure time and memory of the bundle against its peers: `make bench` runs every row on one machine.

This file imports nothing: a measured process must load only what its side needs.
"""
