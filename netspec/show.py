"""Every stage of a net as text: what `netspec show` prints and golden files hold."""

from __future__ import annotations

from typing import Literal

from netspec import settings as environment
from netspec.compiler import inference_graph, training_graph
from netspec.diagnostics import UserError
from netspec.graph import text as graph_text
from netspec.graph.graph import Graph
from netspec.model import Model, tiled_images
from netspec.picture import picture
from netspec.runtime.host import host_target
from netspec.schedule import text as program_text
from netspec.schedule.cuda import schedule_cuda
from netspec.schedule.layout import Order
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import Target
from netspec.syntax.parse import parse
from netspec.syntax.text import text as tree_text
from netspec.targets import sources
from netspec.targets.cuda.source import source as cuda_source

Emit = Literal["ast", "graph", "optimised", "program", "source", "dot", "mermaid", "svg"]


def show(
    model: Model,
    emit: Emit,
    *,
    target: str | None = None,
    mode: str = "infer",
    batch: int | None = None,
    layout: Order | None = None,
    unfold: bool = False,
) -> str:
    """A stage of a net as text: `ast`, `graph` (layers), `optimised` (formulas after all passes), `program`, `source` (modules).

    Or a picture of its layers: `dot`, `mermaid`, `svg`, with `unfold` all of them.
    """
    match emit:
        case "dot" | "mermaid" | "svg":
            return picture(model.net, emit, unfold=unfold)
        case "ast":
            return tree_text(parse(model.source.text, model.source.file))
        case "graph":
            graph = (model.net if mode == "infer" else model.net.in_training).graph  # which sizes need not be bound for
            assert graph is not None
            return graph_text.text(graph)
        case "optimised":
            machine, images = host_target(target), _images(model, batch)
            return graph_text.text(_optimised(model, mode, _tiled(images, machine, layout)))
        case "program" | "source":
            machine, images = host_target(target), _images(model, batch)
            graph = _optimised(model, mode, _tiled(images, machine, layout))
            if machine.kind == "cuda":
                kernels = schedule_cuda(graph, machine, images)
                return f"{kernels}\n" if emit == "program" else cuda_source(kernels)
            program = schedule(graph, machine, images, layout)
            return program_text.text(program) if emit == "program" else sources(program)


def _images(model: Model, batch: int | None) -> int:
    return batch if batch is not None else model.plan.batch if model.plan else 64


def _tiled(images: int, machine: Target, layout: Order | None) -> int | None:
    return tiled_images(images, machine, layout) if environment.winograd() else None


def _optimised(model: Model, mode: str, tiled: int | None) -> Graph:
    if mode == "infer":
        return inference_graph(model.graph, tiled)
    if model.plan is None:
        raise UserError(f"{model.name} has no `train` block", "show it with `--mode infer`")
    return training_graph(model.trained_graph, model.plan)
