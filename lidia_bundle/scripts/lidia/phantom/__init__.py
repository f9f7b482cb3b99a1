"""Generates the phantom: four-phase abdomens with lesions, from tables of Hounsfield units."""
