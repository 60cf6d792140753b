"""Measured kernel times: which packs there are, what each row says, and where every number came from."""

__all__ = ["catalog", "errors", "interpolation", "provenance", "repair", "table"]
