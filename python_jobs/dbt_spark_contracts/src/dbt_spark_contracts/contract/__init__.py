"""What a contract promises, held against a staged model and against a table."""
