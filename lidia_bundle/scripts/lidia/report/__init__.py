"""HTML pages of results: one for each patient, one for a cohort."""
