"""Check a pull request of a dbt project without data: docs/pull_requests.md

project      the project, its git repository, and dbt and git run on them
base         the commit where the branch began: its manifest and its lineage
results      what dbt's results say is wrong
promises     what the two manifests say is wrong
changes      what changed: one file a kind (code, macros, imports, settings, seeds)
proof        changed models whose plan is the same
report       Markdown, JSON, SARIF and GitHub's annotations and comment
"""
