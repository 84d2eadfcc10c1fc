"""What a component is: its settings, its facts, its reference, and the registry that knows it by name. Imports no torch."""
