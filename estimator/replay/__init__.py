"""A deployment played request by request: real scheduling rules over the prices of its iterations.

The closed forms say what holds on average in a steady state; this says what happens to every request, in bursts too.
"""

from estimator.replay.fleet import play
from estimator.replay.pace import Pace
from estimator.replay.scheduler import Rules
from estimator.replay.stages import Stage
from estimator.replay.summary import Played, Spread, Summary
from estimator.replay.traffic import Traffic

__all__ = ["Pace", "Played", "Rules", "Spread", "Stage", "Summary", "Traffic", "play"]
