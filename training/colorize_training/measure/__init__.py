"""Measures of a model, the report on them, and contact sheets."""
