"""The update: sharpness-aware minimisation."""
