"""Location of lesions in the liver and reference tissue. Axes X Y Z, RAS, mm."""
