"""Where lesions lie in the liver and which tissue they are compared with. Axes X Y Z, RAS, mm."""
