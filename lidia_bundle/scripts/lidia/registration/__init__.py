"""Registration of the phases of one patient onto the reference phase."""
