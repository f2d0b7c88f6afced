"""Pixels: one photo in, its renditions out, through libvips.

Knows nothing of AWS: it works on a laptop's file exactly as it works in Lambda.
"""
