"""Python face of the program, for notebooks: sweeps, results as frames, single networks. Its parts are imported one by one."""
