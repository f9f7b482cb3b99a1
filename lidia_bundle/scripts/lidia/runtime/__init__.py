"""What every job needs of the machine: weights on disk, numeric precision, several processes."""
