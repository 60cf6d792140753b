"""What is asked: the traffic to serve and the promises to keep.

Lengths in tokens, times in seconds, rates per second.
"""

from dataclasses import dataclass

from estimator.errors import InvalidWorkload


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The requests a deployment serves.

    isl: prompt tokens; osl: output tokens; prefix: prompt tokens whose keys and values are already cached;
    concurrency: requests in flight over the whole deployment; request_rate: arrivals per second (at most one of
    the two; none means: as much as the targets allow); drafts: tokens that multi-token prediction drafts per
    iteration; acceptance: probability that a draft is accepted given that the one before it was.
    """

    isl: int
    osl: int
    prefix: int = 0
    concurrency: float | None = None
    request_rate: float | None = None
    drafts: int = 0
    acceptance: float = 0.8

    def __post_init__(self) -> None:
        if self.isl < 1:
            raise InvalidWorkload("isl", self.isl, "at least 1 token")
        if self.osl < 1:
            raise InvalidWorkload("osl", self.osl, "at least 1 token")
        if not 0 <= self.prefix < self.isl:
            raise InvalidWorkload("prefix", self.prefix, f"between 0 and isl - 1 = {self.isl - 1}")
        if self.drafts < 0:
            raise InvalidWorkload("drafts", self.drafts, "at least 0 tokens")
        if not 0 <= self.acceptance <= 1:
            raise InvalidWorkload("acceptance", self.acceptance, "a probability between 0 and 1")
        if self.concurrency is not None and self.request_rate is not None:
            raise InvalidWorkload("concurrency and requestRate", "both", "given one at a time")
        for name, value in (("concurrency", self.concurrency), ("requestRate", self.request_rate)):
            if value is not None and value <= 0:
                raise InvalidWorkload(name, value, "positive")

    @property
    def new_tokens(self) -> int:
        """Prompt tokens that must be computed: isl - prefix."""
        return self.isl - self.prefix

    @property
    def tokens_per_iteration(self) -> float:
        """Mean tokens that a sequence gains per decode iteration: 1 and every draft up to the first rejected one."""
        return 1 + sum(self.acceptance**draft for draft in range(1, self.drafts + 1))

    @property
    def iterations(self) -> float:
        """Decode iterations of a request: the first token comes from its prefill."""
        return (self.osl - 1) / self.tokens_per_iteration


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The service-level agreement, seconds; None means: not asked for.

    ttft: time to first token; itl: time between output tokens; e2e: whole request latency; confidence: the least
    probability that all of them are kept, 0 to take predictions at their word.
    """

    ttft: float | None = None
    itl: float | None = None
    e2e: float | None = None
    confidence: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.confidence < 1:
            raise InvalidWorkload("confidence", self.confidence, "a probability of at least 0 and below 1")
        for name, value in (("ttft", self.ttft), ("itl", self.itl), ("e2eLatency", self.e2e)):
            if value is not None and not value > 0:
                raise InvalidWorkload(name, value, "positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """How a benchmark differs from a steady state: all clients start at once.

    rounds: requests that each client sends, over which its means go; alike: all requests have the very same lengths, so
    that they meet again and again.
    """

    rounds: float
    alike: bool = False
