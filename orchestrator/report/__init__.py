"""Files to read and to keep: pages, figures, the paper's tables, images, RobustBench records."""
