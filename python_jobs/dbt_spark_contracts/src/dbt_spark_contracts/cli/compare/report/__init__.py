"""What a comparison found, for people and programs."""
