"""The soak: fuzz, load, faults and attacks against the real daemon with the shipped model, bounded, on loopback."""
