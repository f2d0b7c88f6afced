"""botocore's documentation generator is not in this image; what botocore imports of it is."""
