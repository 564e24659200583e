"""The picture path: from a photograph's pixels to the colours above it."""
