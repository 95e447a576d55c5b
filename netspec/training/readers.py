"""Where the samples come from, as declared. The reading itself is netspec.data."""

from __future__ import annotations

from typing import Annotated, ClassVar

from netspec.schema import Rest
from netspec.training.declaration import Declaration


def _split(value: object) -> object:
    match value:
        case None:
            return value
        case int() if not isinstance(value, bool) and value > 0:
            return value
        case float() if 0 < value < 1:
            return value
        case _:
            raise ValueError("val is a number of samples, `val=500`, or a share of them, `val=10%`")


Split = Annotated[int | float | None, _split]
"""Training samples set aside for validation: a number, a share, or none."""


class Samples(Declaration):
    """Where samples come from: a field for each input of the net, and those that losses compare with."""

    archive: ClassVar[bool] = False
    """Whether it has fields by name. Else it has pictures, for the net's only input, and their classes."""

    @property
    def fields(self) -> dict[str, str]:
        """From inputs and targets to the names that the data has for them, where these are others."""
        return {}


class Mnist5k(Samples):
    """The bundled digits: 5,000 of MNIST's training set, 500 per class, and its official 10,000 test digits."""

    name: ClassVar[str] = "mnist5k"
    classes: ClassVar[int] = 10
    val: Split = None


class Idx(Samples):
    """A folder of IDX files named as MNIST's, packed or not: `train-images-idx3-ubyte[.gz]`, .., `t10k-..` where there is a test set."""

    name: ClassVar[str] = "idx"
    folder: str
    val: Split = None


class Npz(Samples):
    """A NumPy archive. Further keywords say which array is which input or target: `npz("train.npz", image="x", y="labels")`.

    One without a keyword is read from the array of its own name.
    """

    name: ClassVar[str] = "npz"
    archive: ClassVar[bool] = True
    path: str
    val: Split = None
    arrays: Annotated[tuple[tuple[str, str], ...], Rest(str)] = ()

    @property
    def fields(self) -> dict[str, str]:
        """From inputs and targets to the names of arrays."""
        return dict(self.arrays)


Reader = Mnist5k | Idx | Npz
"""A source of samples and targets."""
