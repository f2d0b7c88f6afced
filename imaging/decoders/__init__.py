"""Decoders of what libvips cannot decode; each is imported when the first such photo arrives."""
