"""A whole model: every block's operations, between the embedding and the vocabulary head."""

from dataclasses import replace

from estimator.layers import dense, experts, grouped, latent, linear
from estimator.layers.parts import Phase, all_reduce
from estimator.model import Attention, Block, DeltaNet, Experts, FeedForward, Latent, StateSpace
from estimator.ops import ACTIVATION_BYTES, ExpertProducts, Gemm, MemoryOp, Placed, Transfer
from estimator.shape import Shape


def operations(shape: Shape, phase: Phase) -> tuple[Placed, ...]:
    """Every operation that one GPU runs in an iteration of *phase*, over all layers and stages.

    Prefill iterations run unfused elementwise kernels and eager collectives; decode iterations run captured graphs.
    """
    placed = _ends(shape, phase)
    for block in shape.model.blocks:
        placed += _mixer(shape, block, phase) + _feed_forward(shape, block, phase)
    if shape.parallel.pp > 1:
        hand_over = Transfer(width=shape.model.hidden)
        placed.append(Placed(name="stage transfer", op=hand_over, count=shape.parallel.pp - 1, role="token"))
    return tuple(_captured(shape, one) for one in placed) if phase == "decode" else tuple(placed)


def _captured(shape: Shape, placed: Placed) -> Placed:
    """The same inside a captured graph, whose kernels start sooner than launched ones."""
    if not isinstance(placed.op, MemoryOp):
        return placed
    return replace(placed, op=replace(placed.op, launch=shape.engine.host.captured_kernel))


def layer_bytes(shape: Shape) -> float:
    """Bytes of all layers' weights on one GPU, were there one stage; without the vocabulary."""
    placed = [one for block in shape.model.blocks for one in matrices(shape, block)]
    return sum(one.op.weight_bytes * one.count for one in placed if isinstance(one.op, Gemm | ExpertProducts))


def _ends(shape: Shape, phase: Phase) -> list[Placed]:
    model = shape.model
    gather = MemoryOp(bytes_per_token=ACTIVATION_BYTES * model.hidden)
    head = Gemm(n=model.vocab // shape.parallel.tp, k=model.hidden, dtype=shape.dtypes.head)
    return [
        Placed(name="embedding", op=gather, count=1, role="token"),
        *all_reduce(shape, phase, "embedding all-reduce", 1),
        Placed(name="head", op=head, count=1, role="head"),
    ]


def _mixer(shape: Shape, block: Block, phase: Phase) -> list[Placed]:
    match block.mixer:
        case Attention() as mixer:
            return grouped.operations(shape, mixer, block.count, phase)
        case Latent() as mixer:
            return latent.operations(shape, mixer, block.count, phase)
        case DeltaNet() as mixer:
            return linear.delta_operations(shape, mixer, block.count, phase)
        case StateSpace() as mixer:
            return linear.mamba_operations(shape, mixer, block.count, phase)
        case None:
            return []


def _feed_forward(shape: Shape, block: Block, phase: Phase) -> list[Placed]:
    match block.ffn:
        case FeedForward() as ffn:
            return dense.operations(shape, ffn, block.count, phase)
        case Experts() as ffn:
            return experts.operations(shape, ffn, block.count, phase)
        case None:
            return []


def matrices(shape: Shape, block: Block) -> list[Placed]:
    """The weights of one block on one GPU: every matrix product, the experts included."""
    found: list[Placed] = []
    match block.mixer:
        case Attention() as mixer:
            found += grouped.matrices(shape, mixer, block.count)
        case Latent() as mixer:
            found += latent.matrices(shape, mixer, block.count)
        case DeltaNet() as mixer:
            found += linear.delta_matrices(shape, mixer, block.count)
        case StateSpace() as mixer:
            found += linear.mamba_matrices(shape, mixer, block.count)
    match block.ffn:
        case FeedForward() as ffn:
            found += dense.matrices(shape, ffn, block.count)
        case Experts() as ffn:
            found += experts.matrices(shape, ffn, block.count)
    return found
