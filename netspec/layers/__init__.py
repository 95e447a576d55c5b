"""Every layer of the language: one class is its whole meaning. To add one, write its class in the file of its family.

`LAYERS` maps the names of the language to the classes; the checker, the report, the documentation and all contract tests read it.
"""

from __future__ import annotations

import importlib
import pkgutil

from netspec.graph.types import Layer


def _classes(base: type[Layer]) -> list[type[Layer]]:
    return [item for child in base.__subclasses__() for item in ([child] if "name" in vars(child) else []) + _classes(child)]


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

LAYERS: dict[str, type[Layer]] = {item.name: item for item in sorted(_classes(Layer), key=lambda item: item.name)}
