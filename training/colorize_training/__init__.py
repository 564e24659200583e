"""Training of the generators that colorize-server runs (pix2pix, from lightness to chroma)."""

import os

# Read once, when torch loads its OpenMP library, hence here.  Threads that wait by spinning take the core from whatever
# else runs beside a training of days: an evaluation took three times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
