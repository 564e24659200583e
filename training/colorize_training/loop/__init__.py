"""One run: losses, schedule, steps, checkpoints, Ctrl+C."""
