"""Lean clients of AWS: botocore with models that hold only what this function calls."""
