"""How the image starts: built into it, and run nowhere else."""
