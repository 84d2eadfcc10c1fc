from hypothesis import settings

# Two busy cores make single examples slow now and then; a hang is pytest-timeout's affair.
settings.register_profile("robustsweep", deadline=None)
settings.load_profile("robustsweep")
