"""The pipeline beside its peers, on the same photo, in one run."""
