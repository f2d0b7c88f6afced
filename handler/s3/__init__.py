"""S3: the client, the photo's bytes coming in, the renditions' going out."""
