"""Bundles for reviewers: one file with all that a claim of robustness rests on, and its verification."""
