"""One photo: look up its manifest, make its renditions, or remove them."""
