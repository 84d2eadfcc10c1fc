"""The steps of `launch`, `plan` and `submit`; `doctor` has the checks before them."""
