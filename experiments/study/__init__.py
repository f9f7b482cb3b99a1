"""Evidence: what the shipped figures rest on."""
