"""Space files: YAML with line numbers, overrides, problems in words."""
