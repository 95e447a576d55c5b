"""The optimizer's update becomes part of the graph: accumulation, clipping, regularisers, the step itself, and a guard.

A step whose loss or gradient is not finite changes nothing: weights, moments and running statistics keep their values, so that what went
wrong can be looked at and nothing is lost.

Where gradients are accumulated over several batches, every batch but the last only adds its share to the sums. What a batch is told:
`$share`, its part of the samples of all of them; `$first` and `$last`, 1 or 0. Whoever makes single steps says 1 three times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Op
from netspec.graph.types import ZEROS, TensorType, Value, Weight
from netspec.kernels.affine import Affine, Axis, affine
from netspec.kernels.formula import Formula, d, each, total
from netspec.kernels.scalar import ONE, Access, Expr, RuntimeScalar, accesses, call, minimum, replaced, select, sqrt_
from netspec.passes.attach_loss import LOSS
from netspec.training.clipping import Clip
from netspec.training.optimizers import LR, WEIGHT, Optimizer
from netspec.training.patterns import selected
from netspec.training.rates import Frozen, Times, factors
from netspec.training.regularizers import Regularizer

NORMS, NORM, FINE = "train/norms", "train/norm", "train/fine"
"""The squared norm of each gradient, of all together; 1 when that and the loss are finite, else 0."""
CLIP, READY = "train/clip", "train/ready"
"""What all gradients are multiplied by; 1 where the step is fine and this batch is the last that it is made of."""
SHARE, FIRST, LAST = (RuntimeScalar(name) for name in ("share", "first", "last"))
ONE_ELEMENT = TensorType((1,))


def _number(name: str) -> Access:
    return Access(name, (affine(0),))


@dataclass(frozen=True)
class ApplyOptimizer:
    """Add updates of all trainable weights and of the optimizer's state, guarded by finite loss and gradients.

    Where they are `accumulated`, gradients are the mean over the samples of several batches. They are then clipped; the regularizers' are
    added behind that.
    """

    optimizer: Optimizer
    regularize: tuple[Regularizer, ...] = ()
    clip: Clip | None = None
    accumulated: bool = False
    rates: tuple[Times | Frozen, ...] = ()

    def __call__(self, graph: Graph) -> Graph:
        """The graph with the optimizer's state among its weights (named WEIGHT/STATE) and every update guarded."""
        trained = [weight for weight in graph.weights if weight.role == "trainable" and d(weight.name) in graph.types]
        sums = [Weight(f"{item.name}/sum", item.type, ZEROS, "state") for item in trained] if self.accumulated else []
        gradients = [f"{item.name}/next" for item in sums] or [d(item.name) for item in trained]
        ops = [*graph.ops, *map(_summed, sums, trained), *self._guard(trained, gradients)]
        state: list[Weight] = list(sums)
        updates: list[tuple[str, str]] = [(item.name, f"{item.name}/next") for item in sums]
        for name, value in graph.updates:  # running statistics
            weight = graph.types[name]
            assert isinstance(weight, Weight)
            ops.append(_guarded(weight, value))
            updates.append((name, f"{name}/next"))
        for weight, gradient in zip(trained, gradients, strict=True):
            own = [Weight(f"{weight.name}/{name}", weight.type, ZEROS, "state") for name in self.optimizer.state]
            state += own
            found = list(self._update(weight, gradient, own, self._penalties(weight, [item.name for item in trained])))
            ops += found
            updates += [(item.name, f"{item.name}/next") for item in (*own, weight) if f"{item.name}/next" in {op.name for op in found}]
        outputs = tuple(name for name in graph.outputs if not name.startswith("d:"))
        return replace(graph, weights=(*graph.weights, *state), nodes=tuple(ops), outputs=(*outputs, NORM), updates=tuple(updates))

    def _penalties(self, weight: Weight, names: list[str]) -> list[Regularizer]:
        return [item for item in self.regularize if weight.name in selected(names, item.on, item.except_)]

    def _guard(self, trained: list[Weight], gradients: list[str]) -> list[Op]:
        """Each weight's squared norm is a place of one tensor: however many there are, no formula grows with them."""
        every = Axis("k", len(trained))
        norms = tuple(
            total(Access(NORMS, (affine(k),)), Access(gradient, _indices(weight)) * Access(gradient, _indices(weight)))
            for k, (weight, gradient) in enumerate(zip(trained, gradients, strict=True))
        )
        ops = [
            Op(NORMS, norms, (Value(NORMS, TensorType((len(trained),))),), "train"),
            _single(NORM, total(_number(NORM), Access(NORMS, (affine(every),)))),
            _single(FINE, each(_number(FINE), call("finite", _number(NORM)) * call("finite", _number(LOSS)))),
        ]
        if self.accumulated:
            ops.append(_single(READY, each(_number(READY), _number(FINE) * LAST)))
        if self._factor != ONE:
            ops.append(_single(CLIP, each(_number(CLIP), self._factor)))
        return ops

    @property
    def _factor(self) -> Expr:
        return ONE if self.clip is None else self.clip.factor(sqrt_(_number(NORM)))

    @property
    def _ready(self) -> Access:
        return _number(READY if self.accumulated else FINE)

    def _update(self, weight: Weight, gradient: str, state: list[Weight], penalties: list[Regularizer]) -> Iterator[Op]:
        """The state's next values first, which read the weight as it was; the weight is then computed from them."""
        here = _indices(weight)
        old = Access(weight.name, here)
        seen = self._seen(Access(gradient, here), old, penalties)
        values = self.optimizer.update(old, seen, *(Access(item.name, here) for item in state))
        if (factor := factors(self.rates, [weight.name])[weight.name]) != 1:
            values = {name: replaced(value, {LR: factor * LR}) for name, value in values.items()}
        following: dict[Expr, Expr] = {}
        overwritten: set[str] = set()
        for item in state:
            if (value := values.get(item.name.rpartition("/")[2])) is not None:
                yield _op(item, select(self._ready, _from(following, overwritten, value), Access(item.name, here)))
                following[value] = Access(f"{item.name}/next", here)
                overwritten.add(item.name)
        if WEIGHT in values:
            yield from _limited(weight, _from(following, overwritten, values[WEIGHT]), penalties, self._ready)

    def _seen(self, gradient: Expr, weight: Expr, penalties: list[Regularizer]) -> Expr:
        """The gradient as the optimizer sees it."""
        if self.clip is not None:
            gradient = self.clip.limited(gradient * (_number(CLIP) if self._factor != ONE else ONE))
        for item in penalties:
            gradient = gradient + item.gradient(weight)
        return gradient


def _from(following: dict[Expr, Expr], overwritten: set[str], value: Expr) -> Expr:
    """The value in terms of next values that are there already, since what they were formed from is not any more."""
    found = replaced(value, following)
    stale = overwritten & {access.tensor for access in accesses(found)}
    assert not stale, f"the update reads {stale}, which is overwritten before it"
    return found


def _summed(total: Weight, weight: Weight) -> Op:
    """The share-weighted sum of the gradients of the batches so far."""
    here = _indices(weight)
    part = SHARE * Access(d(weight.name), here)
    return _op(total, select(FIRST, part, Access(total.name, here) + part))


def _limited(weight: Weight, value: Expr, penalties: list[Regularizer], ready: Access) -> Iterator[Op]:
    """The weight's next value; where a regularizer limits the norm of a unit's weights, by way of where the step alone would lead."""
    here = _indices(weight)
    old, moved, norms = Access(weight.name, here), f"{weight.name}/moved", f"{weight.name}/norms"
    norm = Access(norms, here[:1])
    factors = [factor for item in penalties if (factor := item.shrink(sqrt_(norm))) != ONE] if len(here) > 1 else []
    if factors:
        where = Access(moved, here)
        yield Op(moved, (each(where, value),), (Value(moved, weight.type),), weight.name)
        yield Op(norms, (total(norm, where * where),), (Value(norms, TensorType(weight.type.shape[:1])),), weight.name)
        least = factors[0]
        for factor in factors[1:]:
            least = minimum(least, factor)
        value = where * least
    yield _op(weight, select(ready, value, old))


def _single(name: str, formula: Formula) -> Op:
    return Op(name, (formula,), (Value(name, ONE_ELEMENT),), "train")


def _guarded(weight: Weight, value: str) -> Op:
    here = _indices(weight)
    return _op(weight, select(_number(FINE), Access(value, here), Access(weight.name, here)))


def _op(target: Weight, value: Expr) -> Op:
    name = f"{target.name}/next"
    return Op(name, (each(Access(name, _indices(target)), value),), (Value(name, target.type),), target.name)


def _indices(weight: Weight) -> tuple[Affine, ...]:
    return tuple(affine(Axis(f"i{k}", extent)) for k, extent in enumerate(weight.type.shape))
