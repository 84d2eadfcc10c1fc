"""Components: their settings, their facts, their references, and the registry that knows them by name. Imports no torch."""
