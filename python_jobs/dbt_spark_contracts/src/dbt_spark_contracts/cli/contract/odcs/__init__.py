"""Exports and imports contracts in the Open Data Contract Standard."""
