"""A small model of one photo's place, and every order in which things can happen in it.

`world` is S3 with one photo and its renditions; `attempts` what the function asks of it, decided by
the very functions of `handler/photo/rule.py`; `search` tries every interleaving of a scenario.
"""
