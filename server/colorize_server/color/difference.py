"""CIEDE2000 colour difference."""

import numpy as np

from .cie import Floats


def ciede2000(lab1: Floats, lab2: Floats) -> Floats:
    """Return the CIEDE2000 difference with kL = kC = kH = 1.

    Args:
        lab1: (..., 3) L*a*b*.
        lab2: (..., 3) L*a*b*, broadcastable against `lab1`.

    Returns:
        (...) float64.

    Source: Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", Color Res. Appl. 30 (2005); its 34 test
    pairs are a test of ours.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(lab1, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(lab2, np.float64), -1, 0)
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1p, a2p = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1p, b1), np.hypot(a2p, b2)
    h1, h2 = np.arctan2(b1, a1p) % (2 * np.pi), np.arctan2(b2, a2p) % (2 * np.pi)
    grey = c1 * c2 == 0
    dh = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    # The standard keeps +180 degrees where the two hues are exactly opposite.
    dh = np.where(grey, 0, np.where(np.isclose(np.abs(h2 - h1), np.pi, atol=1e-12), h2 - h1, dh))
    dl, dc, dhh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(dh / 2)
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    total = h1 + h2
    hm = np.where(
        grey,
        total,
        np.where(np.abs(h1 - h2) <= np.pi + 1e-12, total / 2, total / 2 + np.where(total < 2 * np.pi, np.pi, -np.pi)),
    )
    t = (
        1
        - 0.17 * np.cos(hm - np.radians(30))
        + 0.24 * np.cos(2 * hm)
        + 0.32 * np.cos(3 * hm + np.radians(6))
        - 0.20 * np.cos(4 * hm - np.radians(63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rotation = np.radians(60) * np.exp(-(((np.degrees(hm) - 275) / 25) ** 2))
    rt = -np.sin(rotation) * 2 * np.sqrt(cm**7 / (cm**7 + 25.0**7))
    return np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dhh / sh) ** 2 + rt * (dc / sc) * (dhh / sh))
