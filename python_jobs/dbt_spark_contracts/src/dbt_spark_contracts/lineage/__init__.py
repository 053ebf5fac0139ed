"""Column lineage of models, from Spark's analyzed plans: docs/lineage.md"""
