"""What the numbers of the paper are: lesions, patients, voxels, and how sure each is."""
