"""Every stage of a net as text: what `netspec show` prints and golden files hold."""

from __future__ import annotations

from typing import Literal

from netspec.compiler import inference_graph, training_graph
from netspec.diagnostics import UserError
from netspec.graph import text as graph_text
from netspec.graph.graph import Graph
from netspec.model import Model
from netspec.runtime.host import host_target
from netspec.schedule import text as program_text
from netspec.schedule.cuda import schedule_cuda
from netspec.schedule.layout import Order
from netspec.schedule.schedule import schedule
from netspec.syntax.parse import parse
from netspec.syntax.text import text as tree_text
from netspec.targets import sources
from netspec.targets.cuda.source import source as cuda_source

Emit = Literal["ast", "graph", "optimised", "program", "source"]


def show(
    model: Model, emit: Emit, *, target: str | None = None, mode: str = "infer", batch: int | None = None, layout: Order | None = None
) -> str:
    """A stage of a net as text: `ast`, `graph` (layers), `optimised` (formulas after all passes), `program`, `source` (modules)."""
    match emit:
        case "ast":
            return tree_text(parse(model.source.text, model.source.file))
        case "graph":
            return graph_text.text(model.graph)
        case "optimised":
            return graph_text.text(_optimised(model, mode))
        case "program" | "source":
            batch = batch if batch is not None else model.plan.batch if model.plan else 64
            graph, machine = _optimised(model, mode), host_target(target)
            if machine.kind == "cuda":
                kernels = schedule_cuda(graph, machine, batch)
                return f"{kernels}\n" if emit == "program" else cuda_source(kernels)
            program = schedule(graph, machine, batch, layout)
            return program_text.text(program) if emit == "program" else sources(program)


def _optimised(model: Model, mode: str) -> Graph:
    if mode == "infer":
        return inference_graph(model.graph)
    if model.plan is None:
        raise UserError(f"{model.name} has no `train` block", "show it with `--mode infer`")
    return training_graph(model.graph, model.plan)
