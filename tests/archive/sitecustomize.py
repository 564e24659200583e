"""Python imports this by itself in every process of a test that puts this folder on PYTHONPATH.

Photographs that hold the word POISON end the process that decodes them, as a fault in native code does.
"""

import os
import signal

if "COLORIZE_POISON" in os.environ:
    from colorize_server.archive import one_file

    _decode = one_file.decode_picture

    def decode_picture(data, *arguments, **named):
        if b"POISON" in data:
            os.kill(os.getpid(), signal.SIGKILL)
        return _decode(data, *arguments, **named)

    one_file.decode_picture = decode_picture  # type: ignore[assignment]
