"""Contracts to and from the Open Data Contract Standard."""
