"""The reports of a comparison, for people and for programs."""
