"""Options of a config: what each may hold, what a caller gave, and one error for all that does not fit."""
