"""Where the commands begin: what they import takes half a second, in which Ctrl+C is to leave without a traceback."""

from .interrupts import leave_at_once


def colorize() -> int:
    """Run ``colorize``."""
    leave_at_once("colorize: stopped; no picture was left half-written.")
    from .cli.colorize import main

    return main()


def colorize_server() -> int:
    """Run ``colorize-server``."""
    leave_at_once("colorize-server: stopped.")
    from .cli.main import main

    return main()


def colorize_archive() -> int:
    """Run ``colorize-archive``."""
    leave_at_once("colorize-archive: stopped.")
    from .cli.archive import main

    return main()


def trt_build() -> int:
    """Run ``trt-build``."""
    leave_at_once("trt-build: stopped; nothing was written.")
    from .cli.trt_build import main

    return main()
