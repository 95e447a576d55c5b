"""Every layer of the language: one class is its whole meaning. To add one, write its class in the file of its family.

`LAYERS` maps the names of the language to the classes; the checker, the report, the documentation and all contract tests read it.
`LOSSES` does the same for what stands behind `loss =`.
"""

from __future__ import annotations

import importlib
import pkgutil

from netspec.graph.types import Layer
from netspec.layers.elsewhere import argument_meant, instead_of, layer_meant
from netspec.layers.loss import Loss
from netspec.layers.op import Custom, layer_of, operand

__all__ = ["LAYERS", "LOSSES", "Custom", "argument_meant", "instead_of", "layer_meant", "layer_of", "operand"]


def _classes(base: type[Layer]) -> list[type[Layer]]:
    return [item for child in base.__subclasses__() for item in ([child] if "name" in vars(child) else []) + _classes(child)]


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

_named = sorted(_classes(Layer), key=lambda item: item.name)
LAYERS: dict[str, type[Layer]] = {item.name: item for item in _named if not issubclass(item, Loss)}
LOSSES: dict[str, type[Loss]] = {item.name: item for item in _named if issubclass(item, Loss)}
