"""The stages in order: a net's graph becomes a graph of formulas, that a program for a target, that an executable."""

from __future__ import annotations

from netspec.graph.graph import Graph, verify
from netspec.passes import Pass, run
from netspec.passes.apply_optimizer import ApplyOptimizer
from netspec.passes.attach_loss import LOSS, AttachLoss, output_of
from netspec.passes.differentiate import Differentiate
from netspec.passes.drop_dead_ops import drop_dead_ops
from netspec.passes.estimate_curvature import estimate_curvature
from netspec.passes.fold_batchnorm import fold_batchnorm
from netspec.passes.forward_copies import forward_copies
from netspec.passes.freeze import Freeze, still
from netspec.passes.fuse_epilogues import fuse_epilogues
from netspec.passes.lower import Lower
from netspec.passes.refine_views import refine_views
from netspec.passes.split_ops import split_ops
from netspec.passes.winograd import Winograd
from netspec.training.losses import Term
from netspec.training.plan import TrainPlan
from netspec.training.rates import frozen

Terms = tuple[Term, ...]
"""The loss: what is summed up."""

OPTIMISE: tuple[Pass, ...] = (split_ops, refine_views, forward_copies, drop_dead_ops, fuse_epilogues, drop_dead_ops)
INFER: tuple[Pass, ...] = (Lower(training=False), split_ops, fold_batchnorm, *OPTIMISE)


def inference_graph(net: Graph, tiled: int | None = None) -> Graph:
    """What a deployed net computes. `tiled`: for programs of up to so many images, convolutions by Winograd's tiles where that is thought
    to be faster; their results are within 1e-4 of the largest element, direct ones within 1e-5.
    """
    return run(verify(net), (*INFER, *_tiles(tiled)))


def gradient_graph(net: Graph, terms: Terms, frozen: frozenset[str] = frozenset()) -> Graph:
    """The loss and its gradient by every trainable weight that is not frozen."""
    return run(verify(net), (*_learning(net, frozen), AttachLoss(terms), Differentiate(LOSS), *OPTIMISE))


def evaluation_graph(net: Graph, terms: Terms, tiled: int | None = None) -> Graph:
    """The loss of a deployed net and, where targets are classes, how many samples it gets right; `tiled` as in inference.

    A term that reads what the deployed net does not compute is left out.
    """
    there = tuple(term for term in terms if {output_of(net, term), *(() if term.field else (term.target,))} <= net.types.keys())
    steps = (Lower(training=False), AttachLoss(there), split_ops, fold_batchnorm, *OPTIMISE)
    return run(verify(net), (*steps, *_tiles(tiled)))


def training_graph(net: Graph, plan: TrainPlan) -> Graph:
    """A whole step: loss, gradients, and the next value of every weight."""
    assert plan.optimizer is not None
    update = ApplyOptimizer(plan.optimizer, plan.regularize, plan.clip, plan.accumulates, plan.rates)
    return run(verify(net), (*_learning(net, frozen_weights(net, plan)), AttachLoss(plan.loss), Differentiate(LOSS), update, *OPTIMISE))


def curvature_graph(net: Graph, plan: TrainPlan) -> Graph:
    """The loss of a training step and, added up over batches, its second derivative by every weight that is trained."""
    steps = (*_learning(net, frozen_weights(net, plan)), AttachLoss(plan.loss), Differentiate(LOSS), estimate_curvature, *OPTIMISE)
    return run(verify(net), steps)


def traced_graph(net: Graph, plan: TrainPlan) -> Graph:
    """Loss and gradients of a training step in which every value is still there to be looked at."""
    return run(verify(net), (*_learning(net, frozen_weights(net, plan)), AttachLoss(plan.loss), Differentiate(LOSS), split_ops))


def frozen_weights(net: Graph, plan: TrainPlan | None) -> frozenset[str]:
    """The weights that a plan does not train."""
    return frozen(plan.rates if plan else (), (weight.name for weight in net.weights if weight.role == "trainable"))


def _learning(net: Graph, frozen: frozenset[str]) -> tuple[Pass, ...]:
    """A net's formulas in training, where some weights are frozen."""
    return Lower(training=True, still=still(net, frozen)), Freeze(frozen)


def _tiles(images: int | None) -> tuple[Pass, ...]:
    return () if images is None else (Winograd(images),)
