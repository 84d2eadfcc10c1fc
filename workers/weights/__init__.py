"""Weights of networks trained elsewhere: where they are, their digest, and how they get into a network. Importing it imports no torch."""
