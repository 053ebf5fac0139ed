"""Writes, exchanges and compares the contracts of models, which are in their ymls."""
