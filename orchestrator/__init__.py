"""When and where jobs run: plan, Ray driver, results store, reports, command line."""
