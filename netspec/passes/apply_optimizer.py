"""The optimizer's update becomes part of the graph: regularisers, the step itself, and a guard.

A step whose loss or gradient is not finite changes nothing: weights, moments and running statistics keep their values, so that what went
wrong can be looked at and nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Op
from netspec.graph.types import ZEROS, TensorType, Value, Weight
from netspec.kernels.affine import Affine, Axis, affine
from netspec.kernels.formula import Formula, d, each, total
from netspec.kernels.scalar import Access, Expr, accesses, call, replaced, select
from netspec.passes.attach_loss import LOSS
from netspec.training.optimizers import WEIGHT, Optimizer
from netspec.training.patterns import selected
from netspec.training.regularizers import Regularizer

NORMS, NORM, FINE = "train/norms", "train/norm", "train/fine"
"""The squared norm of each gradient, of all together; 1 when that and the loss are finite, else 0."""
ONE_ELEMENT = TensorType((1,))
_FINE = Access(FINE, (affine(0),))


@dataclass(frozen=True)
class ApplyOptimizer:
    """Add updates of all trainable weights and of the optimizer's state, guarded by finite loss and gradients."""

    optimizer: Optimizer
    regularize: tuple[Regularizer, ...] = ()

    def __call__(self, graph: Graph) -> Graph:
        """The graph with the optimizer's state among its weights (named WEIGHT/STATE) and every update guarded."""
        trained = [weight for weight in graph.weights if weight.role == "trainable" and d(weight.name) in graph.types]
        ops = [*graph.ops, *_guard(trained)]
        state: list[Weight] = []
        updates: list[tuple[str, str]] = []
        for name, value in graph.updates:  # running statistics
            weight = graph.types[name]
            assert isinstance(weight, Weight)
            ops.append(_guarded(weight, value))
            updates.append((name, f"{name}/next"))
        for weight in trained:
            own = [Weight(f"{weight.name}/{name}", weight.type, ZEROS, "state") for name in self.optimizer.state]
            state += own
            ops += self._update(weight, own, self._penalties(weight, [item.name for item in trained]))
            updates += [(item.name, f"{item.name}/next") for item in (*own, weight)]
        outputs = tuple(name for name in graph.outputs if not name.startswith("d:"))
        return replace(graph, weights=(*graph.weights, *state), nodes=tuple(ops), outputs=(*outputs, NORM), updates=tuple(updates))

    def _penalties(self, weight: Weight, names: list[str]) -> list[Regularizer]:
        return [item for item in self.regularize if weight.name in selected(names, item.on, item.except_)]

    def _update(self, weight: Weight, state: list[Weight], penalties: list[Regularizer]) -> list[Op]:
        """The state's next values first, which read the weight as it was; the weight is then computed from them."""
        here = _indices(weight)
        old = Access(weight.name, here)
        gradient: Expr = Access(d(weight.name), here)
        for item in penalties:
            gradient = gradient + item.gradient(old)
        values = self.optimizer.update(old, gradient, *(Access(item.name, here) for item in state))
        ops: list[Op] = []
        ready = {item.name.rpartition("/")[2]: item for item in state}
        for name, item in ready.items():
            ops.append(_op(item, select(_FINE, values[name], Access(item.name, here))))
        following = {values[name]: Access(f"{item.name}/next", here) for name, item in ready.items()}
        value = replaced(values[WEIGHT], following)
        stale = {item.name for item in state} & {access.tensor for access in accesses(value)}
        assert not stale, f"the update of {weight.name} reads {stale}, which is overwritten before it"
        ops.append(_op(weight, select(_FINE, value, old)))
        return ops


def _guard(trained: list[Weight]) -> list[Op]:
    """Each weight's squared norm is a place of one tensor: however many there are, no formula grows with them."""
    zero, every = (affine(0),), Axis("k", len(trained))
    norms = tuple(
        total(Access(NORMS, (affine(k),)), Access(d(weight.name), _indices(weight)) * Access(d(weight.name), _indices(weight)))
        for k, weight in enumerate(trained)
    )
    fine = call("finite", Access(NORM, zero)) * call("finite", Access(LOSS, zero))
    return [
        Op(NORMS, norms, (Value(NORMS, TensorType((len(trained),))),), "train"),
        _single(NORM, total(Access(NORM, zero), Access(NORMS, (affine(every),)))),
        _single(FINE, each(Access(FINE, zero), fine)),
    ]


def _single(name: str, formula: Formula) -> Op:
    return Op(name, (formula,), (Value(name, ONE_ELEMENT),), "train")


def _guarded(weight: Weight, value: str) -> Op:
    here = _indices(weight)
    return _op(weight, select(_FINE, Access(value, here), Access(weight.name, here)))


def _op(target: Weight, value: Expr) -> Op:
    name = f"{target.name}/next"
    return Op(name, (each(Access(name, _indices(target)), value),), (Value(name, target.type),), target.name)


def _indices(weight: Weight) -> tuple[Affine, ...]:
    return tuple(affine(Axis(f"i{k}", extent)) for k, extent in enumerate(weight.type.shape))
