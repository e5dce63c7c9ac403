"""One module a subcommand: `add_to(commands)` declares it, and its `run(options)` returns the exit code."""
