"""Ops of a file, compiled: values and gradients equal the reference's."""

from __future__ import annotations

import pytest

from netspec.diagnostics import Source
from netspec.elaborate import elaborate
from netspec.schedule.layout import Order
from netspec.syntax.parse import parse
from tests.backend.compiled import ORDERS
from tests.backend.steps import check_net

TEXT = """
op swish(x, beta=1.0) = x * sigmoid(beta * x)
op gate(x, g, p=1.5) = if x > 0 then x * erf(g) else abs(g) ** p * max(x, g)
net N {
  input image[3, 6, 7]
  c: conv(3, 3x3, pad=1) -> swish(1.5)
  s: gap -> swish
  from c -> gate(s) -> gate(in) -> gap -> dense(4)
}
"""
"""An op as the epilogue of a convolution, one over a [c] that is repeated, one of two pictures."""


@pytest.mark.parametrize("order", ORDERS)
def test_value_and_gradients(order: Order) -> None:
    net = elaborate(parse(TEXT, "n.net"), Source("n.net", TEXT)).nets[0].graph
    assert net is not None
    assert check_net(net, order) <= 1
