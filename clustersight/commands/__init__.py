"""What a person types: one module for each group of commands, and what they share."""
