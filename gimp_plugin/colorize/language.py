"""The artist's language, by gettext: ``_`` translates a text of the plug-in.

Python's own gettext, not the C library's: it needs no locale of the system, and the modules that know no GIMP use it,
too.  GIMP tells its plug-ins the language of its preferences in LANGUAGE.
"""

from __future__ import annotations

import gettext
from pathlib import Path

DOMAIN = "colorize"
FOLDER = Path(__file__).with_name("locale")

_catalogue = gettext.translation(DOMAIN, FOLDER, fallback=True)
_ = _catalogue.gettext
counted = _catalogue.ngettext
