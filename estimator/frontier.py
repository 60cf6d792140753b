"""Which deployments nothing else beats on both counts: speed for the user and output per GPU."""

import numpy as np

from estimator.ops import Array, Mask


def pareto_mask(first: Array, second: Array) -> Mask:
    """True where no other row is at least as good in both columns and better in one; more is better, shape (n,).

    Equal rows are kept once, the first of them.
    """
    order = np.lexsort((np.arange(len(first)), -second, -first))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], second[order]]))[:-1]
    mask = np.zeros(len(first), dtype=bool)
    mask[order[second[order] > best]] = True
    return mask
