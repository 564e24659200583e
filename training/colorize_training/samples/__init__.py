"""From pictures to batches: crops, degradations, hints, backdrops."""
