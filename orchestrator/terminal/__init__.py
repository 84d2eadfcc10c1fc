"""Text on its way to a person: the console, escaping for each format, printed commands, passwords kept out of sight."""
