"""Names of models, jobs, settings and files for people, and the words of tables explained."""
