"""Check a pull request of a dbt project without data. See docs/pull_requests.md.

project      the project, its git repository, and calls of dbt and git
base         the merge base: its manifest and its lineage
results      problems from dbt's results
promises     problems from the two manifests
changes      what changed, by kind (code, macros, imports, settings, seeds)
proof        changed models with the same plan
report       Markdown, JSON, SARIF, and GitHub's annotations and comment
"""
