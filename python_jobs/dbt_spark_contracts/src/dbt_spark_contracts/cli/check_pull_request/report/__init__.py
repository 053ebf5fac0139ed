"""What a check found: for people (Markdown), for programs (JSON, SARIF) and for GitHub."""
