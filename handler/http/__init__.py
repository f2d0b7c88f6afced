"""Renditions over HTTP, made when they are first asked for."""
