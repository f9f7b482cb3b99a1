"""What the bundle costs beside its peers: `make bench` measures every claim on one machine in one run.

Imports nothing: a process that is measured loads what its side needs and no more.
"""
