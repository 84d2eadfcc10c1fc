"""What is written to be read and kept: pages, the paper's tables, images, RobustBench files."""
