"""From voxel probabilities to lesions and patient scores."""
