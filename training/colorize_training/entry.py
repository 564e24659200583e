"""Where ``colorize-train`` begins: Ctrl+C is to leave without a traceback from its first moment."""

from colorize_server.interrupts import leave_at_once


def colorize_train() -> int:
    """Run ``colorize-train``."""
    leave_at_once("colorize-train: Stopped.")
    from colorize_training.cli import main

    return main()
