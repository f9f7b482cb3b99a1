"""Compares two or more results of one patient: matching of lesions, their changes, response, documents."""
