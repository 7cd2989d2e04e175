"""Work at locations: allocate, hand-shake, ship, deliver."""
