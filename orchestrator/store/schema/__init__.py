"""The tables and the public SQL views."""
