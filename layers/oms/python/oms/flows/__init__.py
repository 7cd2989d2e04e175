"""What a function does, from reading to the one write: the domain decides, storage commits, providers are called in between."""
