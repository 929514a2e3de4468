"""Transformations: pure functions from a model to a model, one file each."""
