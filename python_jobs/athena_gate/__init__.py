"""Checks whether Athena can run the models, without Athena."""
