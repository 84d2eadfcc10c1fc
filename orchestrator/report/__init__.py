"""Files to read and to keep: pages, the paper's tables, images, RobustBench records."""
