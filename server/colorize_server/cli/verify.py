"""``colorize --verify``: what files say of their colours."""

import sys
from collections.abc import Iterable
from pathlib import Path

from ..formats.decode import media_type_of
from ..formats.embedded import read_embedded
from ..provenance.signature import read_signature
from ..provenance.verify import verdict


def verify(files: Iterable[Path]) -> int:
    """Print record and signature of each file; return 0 if all say that their colours are inferred, else 1."""
    all_told = True
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            print(f"colorize: {file}: It cannot be read: {error.strerror or error}.", file=sys.stderr)
            all_told = False
            continue
        found = verdict(read_embedded(data).xmp, read_signature(data, media_type_of(data)))
        print(file)
        for line in found.lines:
            print(f"  {line}")
        all_told = all_told and found.is_told
    return 0 if all_told else 1
