"""Backfill of a bucket's photos: list, estimate, process, and resume after an interruption.

Imported by the command line alone, never by the function.
"""
