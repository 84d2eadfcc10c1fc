"""The steps of `launch`, `plan` and `submit`."""
