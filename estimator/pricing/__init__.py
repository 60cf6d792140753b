"""From an operation to seconds and the evidence behind them; the only room that opens perf_db's tables."""

from estimator.pricing.ladder import Mode
from estimator.pricing.prices import Prices, light
from estimator.pricing.sheets import Priced

__all__ = ["Mode", "Priced", "Prices", "light"]
