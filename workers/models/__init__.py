"""Networks: one file each, which imports its architecture when it is asked for one."""
