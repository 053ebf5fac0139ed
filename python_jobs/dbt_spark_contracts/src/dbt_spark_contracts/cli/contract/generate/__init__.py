"""A contract written from a model's analyzed plan."""
