"""Training of the generators that colorize-server runs (pix2pix, from lightness to chroma)."""
