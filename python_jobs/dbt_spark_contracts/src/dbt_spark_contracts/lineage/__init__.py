"""Column lineage of models, from Spark's analyzed plans. See docs/lineage.md."""
