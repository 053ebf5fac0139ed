"""What is checked of a model for Athena before Athena sees it."""
