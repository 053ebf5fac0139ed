"""Where a model's columns come from, read off the plan that Spark has analyzed: docs/lineage.md"""
