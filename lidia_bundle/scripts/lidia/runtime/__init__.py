"""Shared by all commands: weight files, numeric precision, distributed processes."""
