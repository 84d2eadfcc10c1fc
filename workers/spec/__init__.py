"""Job specs: everything that determines a job's result, and the job key. Imports neither torch nor Ray."""
