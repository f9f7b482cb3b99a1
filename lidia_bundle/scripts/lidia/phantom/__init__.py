"""The phantom: four-phase abdomens with lesions, drawn from tables of Hounsfield units."""
