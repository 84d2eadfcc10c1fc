"""Files and folders in the file system: regular ones, temporary ones, and the user's cache. Imports no torch."""
