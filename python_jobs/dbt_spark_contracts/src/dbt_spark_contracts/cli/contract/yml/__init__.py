"""The project's yml files, edited in place."""
