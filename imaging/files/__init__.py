"""Containers as bytes: what a file says of itself; no pixel is decoded here."""
