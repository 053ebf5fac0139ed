"""What a contract promises, checked against a staged view and against a table."""
