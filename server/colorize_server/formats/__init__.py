"""Pictures from and to files: decoders, encoders, and what a file says besides its pixels."""
