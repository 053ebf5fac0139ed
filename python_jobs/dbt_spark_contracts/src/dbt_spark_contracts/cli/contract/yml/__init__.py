"""Edits the project's yml files in place."""
