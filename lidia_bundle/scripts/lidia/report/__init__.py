"""Pictures of what came out, on one page."""
