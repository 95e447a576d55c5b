"""Radial basis functions: how far a vector is from the codes of the classes."""

from __future__ import annotations

from typing import ClassVar, Literal

from netspec.graph.types import Computation, Example, Init, Layer, Shape, ShapeError, TensorType, Weight
from netspec.kernels.affine import N, axes
from netspec.kernels.formula import Tensor, total
from netspec.layers.arguments import Units
from netspec.layers.inputs import show

Codes = Literal["random", "std:ascii7x12"] | tuple[tuple[float, ...], ...]
"""Codes drawn once, by the seed; those of the ten digits; or a list of numbers for each class."""

WIDTH, HEIGHT = 7, 12
DIGITS = """
.#####. ...##.. .#####. ####### .#####. .#####. ..####. ####### .#####. .#####.
....... ..###.. ....... .....## ....... ....... .##.... .....## ##...## ##..###
..###.. .####.. .#####. ....##. ....... ####### ##..... .....## ##...## ##...##
.##.##. ...##.. ##...## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##
##...## ...##.. #....## ..####. .##..## ##..... ######. ...##.. .#####. ##..###
##...## ...##.. ....##. .....## ###..## .####.. ###..## ...##.. ##...## .######
##...## ...##.. ..###.. .....## ##...## ..####. ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ##...## .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ##..### ##...## ###..## ..##... ##...## ....##.
..###.. .###### ####### .#####. .###### .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
"""
"""The digits as figure 3 of LeCun et al. 1998 draws them, 7 x 12 each, some with a bar above."""


class Rbf(Layer):
    """The squared distance of a vector [f] to the code of each class, a fixed list of f numbers (LeCun et al. 1998, equation 7).

    Codes are saved, but neither trained nor counted as parameters. `random` ones are +1 or -1 with even odds; `std:ascii7x12` are the
    pictures of the digits, +1 where they are black and -1 where they are white.
    """

    name: ClassVar[str] = "rbf"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"units": 4}, ((6,),)),
        Example({"units": 2, "codes": ((1.0, -1.0, 0.5), (0.0, 2.0, 1.0))}, ((3,),)),
        Example({"units": 10, "codes": "std:ascii7x12"}, ((WIDTH * HEIGHT,),)),
    )

    units: Units
    codes: Codes = "random"

    def conflict(self) -> str | None:
        """One code for each class, all of one length."""
        if self.codes == "std:ascii7x12":
            return None if self.units <= 10 else f"`std:ascii7x12` has codes of the 10 digits, not of {self.units} classes"
        if isinstance(self.codes, str):
            return None
        if len(self.codes) != self.units:
            return f"`codes` has {len(self.codes)} rows for {self.units} classes"
        lengths = {len(code) for code in self.codes}
        return None if len(lengths) == 1 and lengths != {0} else f"the rows of `codes` have {', '.join(map(str, sorted(lengths)))} numbers"

    def infer(self, *inputs: Shape) -> Shape:
        """[units]."""
        if len(inputs[0]) != 1:
            ways = "insert `flatten ->` or `gap ->` before it" if len(inputs[0]) == 3 else "insert `flatten ->` before it"
            raise ShapeError(f"`rbf` needs a vector, got {show(inputs[0])}", code="E0202", help=ways)
        (features,), numbers = inputs[0], self._numbers()
        if numbers and len(numbers) != self.units * features:
            length = len(numbers) // self.units
            notes = (f"a picture of 7 x 12 has {length} pixels",) if self.codes == "std:ascii7x12" else ()
            raise ShapeError(
                f"codes of `rbf` have {length} numbers, its input {features}",
                argument="codes", notes=notes, help=f"put `dense({length})` and an activation before it",
            )  # fmt: skip
        return (self.units,)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """codes [units, f], constant."""
        numbers = self._numbers()
        init = Init("values", values=numbers) if numbers else Init("sign")
        return (Weight("codes", TensorType((self.units, inputs[0][0])), init, "constant"),)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, o] = sum over i of (x[n, i] - codes[o, i])^2."""
        n, o, i = axes(n=N, o=self.units, i=inputs[0][0])
        apart = Tensor("x")[n, i] - Tensor("codes")[o, i]
        return Computation((total(Tensor("y")[n, o], apart * apart),))

    def _numbers(self) -> tuple[float, ...]:
        """The codes one behind the other, nothing when they are drawn."""
        if not isinstance(self.codes, str):
            return tuple(number for code in self.codes for number in code)
        return tuple(number for digit in range(self.units) for number in drawn(digit)) if self.codes == "std:ascii7x12" else ()


def drawn(digit: int) -> tuple[float, ...]:
    """The picture of a digit, row by row: +1 for black, -1 for white."""
    return tuple(1.0 if pixel == "#" else -1.0 for row in DIGITS.split("\n")[1:-1] for pixel in row.split(" ")[digit])
