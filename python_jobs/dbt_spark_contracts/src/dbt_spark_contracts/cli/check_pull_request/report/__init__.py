"""The report of a check: for people (Markdown), for programs (JSON, SARIF) and for GitHub."""
