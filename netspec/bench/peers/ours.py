"""Netspec, as its users call it."""

from __future__ import annotations

from netspec.bench.candidates import DIRECT, WINOGRAD, Built
from netspec.bench.job import Job


def build(job: Job) -> Built:
    """`net(x)`, or `net.step(x, labels)`."""
    net = job.model.compile(job.mode, job.batch, threads=job.threads, target=job.target)
    net.load_weights(job.weights)
    x, labels = job.x, job.labels
    settings = f"{net.target.name}, {net.threads} threads"
    if not job.training:
        return Built(lambda: net(x), settings, tolerance=WINOGRAD if net.tiled else DIRECT)
    rate = job.rate
    return Built(lambda: net.step(x, labels, lr=rate), settings)
