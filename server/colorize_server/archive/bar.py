"""How far one photograph is, as a bar on a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

from ..picture.control import Control

_DELAY_S: Final = 1.0
"""What is done sooner needs no bar."""
_FORMAT: Final = "{desc} {percentage:3.0f} % |{bar:30}| {elapsed}"
_READ, _COLOURED = 0.1, 0.7
"""Where the bar stands after reading and after colouring; at 63 megapixels, JPEG to PNG."""


class Stages:
    """The stages of one photograph.  What one long call does shows by its clock alone, which goes on.

    Args:
        bar: of tqdm, with a total of 1; None shows nothing.
    """

    def __init__(self, bar: Any = None) -> None:
        self._bar = bar
        self._began = time.monotonic()
        self._control = Control()
        self._is_cancelled = False

    def cancel(self) -> None:
        """Have the stage under way and those to come end as soon as possible; thread-safe."""
        self._is_cancelled = True
        self._control.cancel()

    def reading(self) -> Control:
        """Begin to read; the control is told how far it is."""
        return self._begin("Reading", 0.0, _READ)

    def colouring(self) -> Control:
        """Begin to colour."""
        return self._begin("Colouring", _READ, _COLOURED)

    def writing(self) -> Control:
        """Begin to write."""
        return self._begin("Writing", _COLOURED, 1.0)

    def _begin(self, words: str, start: float, end: float) -> Control:
        self._control = control = self._shown(words, start, end)
        if self._is_cancelled:
            control.cancel()
        control.check()
        return control

    def _shown(self, words: str, start: float, end: float) -> Control:
        bar = self._bar
        if bar is None:
            return Control()

        def show(fraction: float) -> None:
            bar.n = max(bar.n, start + fraction * (end - start))
            if time.monotonic() - self._began >= _DELAY_S:
                bar.refresh()  # its clock at least

        bar.set_description_str(words, refresh=False)
        show(0.0)
        return Control(show)


@contextmanager
def stages_on(stream: TextIO | None) -> Iterator[Stages]:
    """Show the stages of one photograph on a terminal, until it is done; nothing where `stream` is none."""
    if stream is None or not stream.isatty():
        yield Stages()
        return
    from tqdm import tqdm  # only those who look need it

    with tqdm(total=1.0, file=stream, delay=_DELAY_S, leave=False, bar_format=_FORMAT) as bar:
        yield Stages(bar)
