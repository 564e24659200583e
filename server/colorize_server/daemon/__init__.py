"""The daemon: HTTP protocol v1 on loopback, a fair queue, and jobs, in front of the inference process."""
