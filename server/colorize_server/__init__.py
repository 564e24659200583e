"""Colour for black-and-white photographs: a local server, its command line, its picture path."""

from .privacy import stop_reports

__version__ = "0.1.0"
PRODUCT = "colorize-server"
"""What the daemon answers when it is asked who it is; the plug-ins know it by this name."""

stop_reports()  # before any module of ours imports a library that reports
