"""Generates contracts from the analyzed plans of models."""
