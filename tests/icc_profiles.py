"""Builds small ICC profiles, byte by byte as ICC.1:2022 lays them out, for tests."""

import struct

import numpy as np


def grey_profile(*, gamma: float | None = None, table: np.ndarray | None = None) -> bytes:
    """Return a grey profile whose curve is a gamma or a table of values 0..1."""
    if table is None:
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round((gamma or 1.0) * 256))
    else:
        values = np.rint(np.asarray(table) * 65535).astype(">u2").tobytes()
        curve = b"curv\0\0\0\0" + struct.pack(">I", len(table)) + values
    text = b"Test grey"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * 79
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return _profile(b"GRAY", {b"desc": description, b"wtpt": white, b"kTRC": curve})


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += padded
    total = start + len(body)
    header = struct.pack(">I4sI4s4s4s12s4s", total, b"lcms", 0x02100000, b"mntr", space, b"XYZ ", b"\0" * 12, b"acsp")
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
