"""What a GPU product is called: the node label of its maker in, our SKU out."""

import re

_FAMILIES = (
    ("GB200", "gb200_sxm", None), ("GB10", "gb10", None), ("B200", "b200_sxm", None), ("H200", "h200_sxm", None),
    ("H100", "h100_sxm", "h100_pcie"), ("A100", "a100_sxm", "a100_pcie"), ("A30", "a30", None), ("L40S", "l40s", None),
    ("L40", "l40", None), ("L4", "l4", None), ("V100", "v100_sxm", "v100_pcie"), ("T4", "t4", None),
    ("MI300", "mi300", None), ("MI250", "mi200", None), ("MI200", "mi200", None),
)  # fmt: skip
"""Word in a product label, SKU, and the SKU of its PCIe card where it has one of its own; the first hit counts."""

_SOCKETED = ("SXM", "HGX", "DGX", "HBM3")
_SLICED = re.compile(r"MIG-|-SHARED$")


def sku(product: str) -> str | None:
    """The SKU of a product label such as NVIDIA-H100-80GB-HBM3; None for a GPU, or a slice of one, that has none."""
    label = product.upper().replace(" ", "-").replace("_", "-")
    if _SLICED.search(label):
        return None
    for word, socketed, card in _FAMILIES:
        if re.search(rf"(?<![A-Z0-9]){word}(?![0-9])", label):
            return socketed if card is None or any(mark in label for mark in _SOCKETED) else card
    return None


def link(name: str, product: str = "") -> str:
    """How the GPUs of one node are joined: nvlink or pcie. *name*: the SKU, *product*: the node's label, if known."""
    label = product.upper()
    linked = name.endswith("_sxm") or name.startswith(("gb200", "vr_")) or any(mark in label for mark in _SOCKETED)
    return "nvlink" if linked else "pcie"
