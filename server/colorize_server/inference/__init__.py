"""The inference process: one child of the daemon, which owns the backend, so that native code can crash in peace."""
