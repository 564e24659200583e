"""Colour science: CIE Lab, RGB spaces, ICC profiles, gamut mapping, colour difference (numpy only)."""
