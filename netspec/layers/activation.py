"""Activations: a scalar expression is a complete layer; value, gradient and kernels follow."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

from netspec.graph.types import Computation, Example, Init, Layer, Shape, TensorType, Weight
from netspec.kernels.formula import Tensor, d, each
from netspec.kernels.scalar import Expr, call, erf, expm1, maximum, minimum, select, sigmoid, softplus, tanh
from netspec.layers.arguments import PositiveFloat
from netspec.layers.inputs import axes_of, channel


class Activation(Layer):
    """A function of each element."""

    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((5, 3, 4),)), Example({}, ((7,),)))

    def scalar(self, x: Expr) -> Expr:
        """The function."""
        raise NotImplementedError

    def derivative(self, y: Expr) -> Expr | None:
        """The derivative by the result, where that says it all: the input need not be kept then."""
        return None

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = f(x)."""
        axes = axes_of(inputs[0])
        x, y, dx, dy = (Tensor(name)[axes] for name in ("x", "y", d("x"), d("y")))
        slope = self.derivative(y)
        return Computation((each(y, self.scalar(x)),), None if slope is None else (each(dx, dy * slope),))


class Relu(Activation):
    """max(0, x), with derivative 0 at 0 (Nair & Hinton 2010)."""

    name: ClassVar[str] = "relu"

    def scalar(self, x: Expr) -> Expr:
        """max(0, x)."""
        return maximum(0.0, x)

    def derivative(self, y: Expr) -> Expr:
        """1 where the result is positive."""
        return select(call("gt", y, 0.0), 1.0, 0.0)


class Relu6(Activation):
    """min(6, max(0, x)), with derivative 0 at 0 and 6 (Krizhevsky 2010)."""

    name: ClassVar[str] = "relu6"

    def scalar(self, x: Expr) -> Expr:
        """min(6, max(0, x))."""
        return minimum(6.0, maximum(0.0, x))

    def derivative(self, y: Expr) -> Expr:
        """1 where the result lies between 0 and 6."""
        return select(call("gt", y, 0.0), select(call("lt", y, 6.0), 1.0, 0.0), 0.0)


class LeakyRelu(Activation):
    """x, or slope * x where x is negative (Maas et al. 2013)."""

    name: ClassVar[str] = "leaky_relu"

    slope: PositiveFloat = 0.01

    def scalar(self, x: Expr) -> Expr:
        """x or slope * x."""
        return select(call("gt", x, 0.0), x, self.slope * x)

    def derivative(self, y: Expr) -> Expr:
        """The result has the sign of the input."""
        return select(call("gt", y, 0.0), 1.0, self.slope)


class Elu(Activation):
    """x, or alpha * (exp(x) - 1) where x is negative (Clevert et al. 2015)."""

    name: ClassVar[str] = "elu"

    alpha: PositiveFloat = 1.0

    def scalar(self, x: Expr) -> Expr:
        """x or alpha * (exp(x) - 1)."""
        return select(call("gt", x, 0.0), x, self.alpha * expm1(x))

    def derivative(self, y: Expr) -> Expr:
        """alpha * exp(x) is y + alpha."""
        return select(call("gt", y, 0.0), 1.0, y + self.alpha)


class Selu(Activation):
    """elu times a scale, with the alpha and the scale that keep mean 0 and variance 1 from layer to layer (Klambauer et al. 2017)."""

    name: ClassVar[str] = "selu"
    SCALE: ClassVar[float] = 1.0507009873554804934193349852946
    FLOOR: ClassVar[float] = SCALE * 1.6732632423543772848170429916717

    def scalar(self, x: Expr) -> Expr:
        """scale * x or scale * alpha * (exp(x) - 1)."""
        return select(call("gt", x, 0.0), self.SCALE * x, self.FLOOR * expm1(x))

    def derivative(self, y: Expr) -> Expr:
        """scale * alpha * exp(x) is y + scale * alpha."""
        return select(call("gt", y, 0.0), self.SCALE, y + self.FLOOR)


class Softplus(Activation):
    """log(1 + exp(x)), a smooth relu (Dugas et al. 2001)."""

    name: ClassVar[str] = "softplus"

    def scalar(self, x: Expr) -> Expr:
        """log(1 + exp(x))."""
        return softplus(x)

    def derivative(self, y: Expr) -> Expr:
        """sigmoid(x) is 1 - exp(-y)."""
        return -expm1(-y)


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    name: ClassVar[str] = "sigmoid"

    def scalar(self, x: Expr) -> Expr:
        """1 / (1 + exp(-x))."""
        return sigmoid(x)

    def derivative(self, y: Expr) -> Expr:
        """y * (1 - y)."""
        return y * (1 - y)


class Tanh(Activation):
    """The hyperbolic tangent."""

    name: ClassVar[str] = "tanh"

    def scalar(self, x: Expr) -> Expr:
        """tanh(x)."""
        return tanh(x)

    def derivative(self, y: Expr) -> Expr:
        """1 - y^2."""
        return 1 - y * y


class Stanh(Activation):
    """amplitude * tanh(slope * x): with the defaults f(1) = 1 and f(-1) = -1 (LeCun et al. 1998, appendix A)."""

    name: ClassVar[str] = "stanh"

    amplitude: PositiveFloat = 1.7159
    slope: PositiveFloat = 2 / 3

    def scalar(self, x: Expr) -> Expr:
        """amplitude * tanh(slope * x)."""
        return self.amplitude * tanh(self.slope * x)

    def derivative(self, y: Expr) -> Expr:
        """slope * (amplitude - y^2 / amplitude)."""
        return self.slope * (self.amplitude - y * y * (1 / self.amplitude))


class Gelu(Activation):
    """x times the normal distribution's probability of less than x (Hendrycks & Gimpel 2016)."""

    name: ClassVar[str] = "gelu"

    def scalar(self, x: Expr) -> Expr:
        """x / 2 * (1 + erf(x / sqrt(2)))."""
        return 0.5 * x * (1 + erf(x * (1 / sqrt(2))))


class Silu(Activation):
    """x * sigmoid(x) (Hendrycks & Gimpel 2016; Ramachandran et al. 2017)."""

    name: ClassVar[str] = "silu"

    def scalar(self, x: Expr) -> Expr:
        """x * sigmoid(x)."""
        return x * sigmoid(x)


class Hardswish(Activation):
    """x * relu6(x + 3) / 6 (Howard et al. 2019)."""

    name: ClassVar[str] = "hardswish"

    def scalar(self, x: Expr) -> Expr:
        """x * relu6(x + 3) / 6."""
        return x * minimum(6.0, maximum(0.0, x + 3)) * (1 / 6)


class Crelu(Layer):
    """relu(x) and relu(-x), one behind the other: twice the channels (Shang et al. 2016)."""

    name: ClassVar[str] = "crelu"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((3, 2, 4),)), Example({}, ((4, 3),)), Example({}, ((5,),)))

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape with twice the channels."""
        place = channel(inputs[0])
        return (*inputs[0][:place], 2 * inputs[0][place], *inputs[0][place + 1 :])

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = max(0, x), y[n, c + channels, h, w] = max(0, -x)."""
        axes, place = axes_of(inputs[0]), 1 + channel(inputs[0])
        behind = tuple(axis + inputs[0][place - 1] if k == place else axis for k, axis in enumerate(axes))
        x, y = Tensor("x")[axes], Tensor("y")
        return Computation((each(y[axes], maximum(0.0, x)), each(y[behind], maximum(0.0, -x))))


class Hardsigmoid(Activation):
    """relu6(x + 3) / 6 (Howard et al. 2019)."""

    name: ClassVar[str] = "hardsigmoid"

    def scalar(self, x: Expr) -> Expr:
        """relu6(x + 3) / 6."""
        return minimum(6.0, maximum(0.0, x + 3)) * (1 / 6)

    def derivative(self, y: Expr) -> Expr:
        """1/6 where the result lies between 0 and 1."""
        return select(call("gt", y, 0.0), select(call("lt", y, 1.0), 1 / 6, 0.0), 0.0)


class Prelu(Layer):
    """x, or slope * x where x is negative, with a trained slope for each channel (He et al. 2015), or a single one if it is `shared`."""

    name: ClassVar[str] = "prelu"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((3, 2, 4),)),
        Example({"shared": True}, ((5,),)),
        Example({}, ((4, 3),)),
    )

    shared: bool = False

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """slope [c], or [1]."""
        slopes = 1 if self.shared else inputs[0][channel(inputs[0])]
        return (Weight("slope", TensorType((slopes,)), Init("constant", 0.25)),)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = x where x > 0, else slope[c] * x."""
        axes = axes_of(inputs[0])
        x, y = Tensor("x")[axes], Tensor("y")[axes]
        slope = Tensor("slope")[0 if self.shared else axes[1 + channel(inputs[0])]]
        return Computation((each(y, select(call("gt", x, 0.0), x, slope * x)),))
