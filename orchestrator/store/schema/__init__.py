"""Tables and public SQL views."""
