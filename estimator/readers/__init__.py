"""From a published config.json to a Model: one reader per kind of layer, one table of families."""

from estimator.readers.reading import read

__all__ = ["read"]
