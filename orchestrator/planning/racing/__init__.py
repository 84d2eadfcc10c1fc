"""Races: models and attacks that leave as soon as their place is decided, so that only the attacks that decide are computed."""
