"""What `make` does in more than a few lines of shell."""
