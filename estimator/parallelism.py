"""How one engine instance is split over GPUs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Parallel:
    """Sizes of one worker's parallel groups, each at least 1.

    tp: tensor, pp: pipeline, dp: attention data, cp: context; moe_tp and moe_ep: tensor and expert
    parallel sizes inside the mixture-of-experts block (tp * dp * cp = moe_tp * moe_ep for such models).
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    moe_tp: int = 1
    moe_ep: int = 1
    cp: int = 1

    def __post_init__(self) -> None:
        for name in ("tp", "pp", "dp", "moe_tp", "moe_ep", "cp"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")

    @property
    def gpus(self) -> int:
        """GPUs of one worker: tp * pp * dp * cp."""
        return self.tp * self.pp * self.dp * self.cp

    def __str__(self) -> str:
        parts = [f"tp{self.tp}", f"pp{self.pp}"]
        parts += [f"{name}{size}" for name, size in (("dp", self.dp), ("cp", self.cp)) if size > 1]
        parts += [f"{name}{size}" for name, size in (("mtp", self.moe_tp), ("ep", self.moe_ep)) if size > 1]
        return "".join(parts)
