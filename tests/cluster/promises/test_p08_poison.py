"""P8: a request that cannot be served delays nobody else."""

from __future__ import annotations

from tests.cluster.stage.stage import Stage, in_modes
from tests.cluster.user import REQUESTS
from tests.fakes.asked import Asked, Fault


@in_modes("owner", "plugin")
def test_p08_a_request_whose_every_write_fails_delays_nobody(stage: Stage) -> None:
    def poison(asked: Asked) -> Fault | None:
        poisoned = asked.writes and asked.namespace == stage.namespace and "poison" in asked.name
        return Fault(status=500, delay=1.0) if poisoned else None

    stage.proxy.fault = poison
    stage.ask("poison")
    names = [f"r{number}" for number in range(15)]
    for name in names:
        stage.ask(name)

    stage.settled(*names)
    assert stage.graph("poison") is None
    stage.proxy.calm()
    stage.settled("poison")


@in_modes("owner", "plugin")
def test_p08_a_request_that_the_estimator_refuses_delays_nobody(stage: Stage) -> None:
    stage.ask("impossible", sla={"ttft": 1, "itl": 1}, backend="auto")
    stage.ask("odd", model="Nobody/Has-Heard-Of-It")
    stage.ask("fine")

    stage.settled("fine")
    stage.until("Failed", "impossible")
    stage.until("Failed", "odd")
    stage.api.delete(REQUESTS, stage.namespace, "odd")
