"""The order: as placed, as it stands, and every rule that derives one from the other."""
