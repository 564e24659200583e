"""The model contract: what a generator takes and gives, in which units.  The only home of these numbers.

Every model that the server runs, and every model that ``colorize_training`` exports, keeps it:

=============  ========  ==============  ====================================================
tensor         dtype     shape           meaning
=============  ========  ==============  ====================================================
``luminance``  float32   (N, 1, H, W)    CIE L* (D65) / 50 - 1, in [-1, 1]
``hints``      float32   (N, 3, H, W)    a* / 110, b* / 110 (coverage-weighted mean of the
                                         strokes that touch the pixel), coverage in [0, 1];
                                         all three are 0 where nothing was painted
``chroma``     float32   (N, 2, H, W)    a* / 110, b* / 110
``doubt``      float32   (N, 1, H, W)    the absolute chroma error that the network expects
                                         of itself, C* / 110
``colours``    float32   (N, 7, 3,       optional, from version 2 on: likely colours of each
                         H / 8, W / 8)   cell of 8 px, most likely first: a* / 110, b* / 110,
                                         share in [0, 1]; the shares sum to at most 1
=============  ========  ==============  ====================================================

N, H and W are dynamic; H and W are multiples of the model's ``multiple_of``.
This module imports nothing, so that training, server and tools can share it.
"""

from typing import Final

VERSION: Final = 2
"""Of the contract; a card without ``contract`` is of version 1, which the server runs as well."""

LIGHTNESS_SCALE: Final = 50.0
"""L* of mid grey; ``luminance`` = L* / LIGHTNESS_SCALE - 1 (scaling of pix2pix's colorization model)."""

CHROMA_SCALE: Final = 110.0
"""a* and b* of sRGB lie in [-108, 98.3]; network chroma = a*b* / CHROMA_SCALE (as in pix2pix)."""

INPUT_LUMINANCE: Final = "luminance"
INPUT_HINTS: Final = "hints"
OUTPUT_CHROMA: Final = "chroma"
OUTPUT_DOUBT: Final = "doubt"
OUTPUT_COLOURS: Final = "colours"

SUGGESTIONS: Final = 7
"""Likely colours that a model gives of a place."""

COLOURS_STRIDE: Final = 8
"""Side of the cells of ``colours``, px."""

CHANNELS: Final = {
    INPUT_LUMINANCE: 1,
    INPUT_HINTS: 3,
    OUTPUT_CHROMA: 2,
    OUTPUT_DOUBT: 1,
    OUTPUT_COLOURS: SUGGESTIONS,
}
"""Length of axis 1 of each tensor."""

CARD_KEY: Final = "colorize.card"
"""Key in the ONNX file's ``metadata_props`` under which the model card stands, as JSON (UTF-8).

The card is an object with these members:

- ``name`` (str) and ``version`` (str): what health and the layer's name show.
- ``multiple_of`` (int): H and W of every input are multiples of it (32; 256 for the paper's U-Net).
- ``sizes`` (list of int, ascending): network short sides that the model was tested at.
- ``default_size`` (int): one of ``sizes``.
- ``saturation`` (float): factor on ``chroma`` that the model's authors chose (already in the graph if 1).
- ``contract`` (int): version of the contract, 1 if it is missing.
- ``training`` (object): summary: stages, pictures seen, data, config names.
- ``metrics`` (object): numbers of ``colorize-train evaluate`` on the report split.
- ``licence`` (str): SPDX identifier of the weights.
"""

CARD_REQUIRED: Final = ("name", "version", "multiple_of", "sizes", "default_size", "licence")
