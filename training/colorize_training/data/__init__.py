"""Pictures on disk: shards and their manifest, what is fit to train on, which split a picture belongs to."""
