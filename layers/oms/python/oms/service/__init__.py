"""What agents and operators do."""
