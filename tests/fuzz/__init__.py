"""Mutated photos through the whole pipeline, in processes that may die: ``make fuzz``."""
