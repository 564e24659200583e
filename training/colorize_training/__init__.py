"""Training of the generators that colorize-server runs (pix2pix, from lightness to chroma)."""

import os

import colorize_server  # noqa: F401 - switches off what libraries report to others, before they are imported

# Read once, when torch loads its OpenMP library, hence here.  Threads that wait by spinning take the core from whatever
# else runs beside a training of days: an evaluation took three times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
