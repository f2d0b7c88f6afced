"""The photos that are in a bucket already: listed, estimated, handed over; resumed where it ends.

Imported by the command line alone, never by the function.
"""
