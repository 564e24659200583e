"""Colour for black-and-white photographs: a local server, its command line, its picture path."""

__version__ = "0.1.0"
