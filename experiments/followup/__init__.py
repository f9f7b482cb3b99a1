"""Measures the follow-up on phantoms with several dates, whose changes are known."""
