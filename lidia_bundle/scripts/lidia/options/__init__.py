"""Defines the options of the configs, reads their values, and reports all invalid ones in one error."""
