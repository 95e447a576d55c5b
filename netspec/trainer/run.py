"""A run that was saved, opened again: its net, its weights, its data, its preparation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from netspec.diagnostics import Source, UserError
from netspec.layers import LOSSES
from netspec.model import Model, Net, model
from netspec.trainer.checkpoint import Checkpoint, check_weights, load
from netspec.trainer.feed import Counters, Feed
from netspec.trainer.folder import BEST, LAST
from netspec.trainer.setup import prepared_data, read_data, usable_plan
from netspec.training.preparation import prepared


@dataclass(frozen=True)
class Run:
    """A saved run. `file` is the checkpoint that its weights come from."""

    file: Path
    model: Model
    checkpoint: Checkpoint

    def compile(self, threads: int | None = None, batch: int | None = None) -> Net:
        """The net with the saved weights."""
        net = self.model.compile(threads=threads, batch=batch)
        names = {weight.name: weight.type.sample for weight in self.model.weights}
        saved = {name: value for name, value in self.checkpoint.tensors.items() if "/" not in name}  # the rest is the optimizer's
        check_weights(self.file, saved, names)
        net.load_weights(saved)
        return net

    def evaluate(self, threads: int | None = None) -> tuple[float, float | None, int, str]:
        """Loss, accuracy (of classes), number of samples and name of the split: the test set, else the validation set. Raises UserError."""
        plan = usable_plan(self.model)
        data = read_data(self.model, plan)
        split, samples = ("test", data.test) if data.test is not None else ("validation", data.val)
        if samples is None:
            raise UserError(f"{data.source} has neither test nor validation samples", "set some aside: `val=10%`")
        feed = Feed(self.compile(threads, plan.batch), plan, prepared_data(plan, data))
        counters = Counters()
        try:
            feed.evaluate(samples, samples.rows, counters).result()
        finally:
            feed.close()
        return counters.loss, counters.accuracy(feed.counted), len(samples), split

    def prepare(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels [c, h, w] in [0, 1] as the net was trained to see them."""
        plan = usable_plan(self.model)
        how = prepared(plan.prepare, pixels.shape)
        c = len(how.scale)
        scale, offset = (np.array(value, np.float32).reshape(c, 1, 1) for value in (how.scale, how.offset))
        result = pixels * scale + offset
        for width, value in how.rings:
            framed = np.empty((c, result.shape[1] + 2 * width, result.shape[2] + 2 * width), np.float32)
            framed[...] = np.array(value, np.float32).reshape(c, 1, 1)
            framed[:, width : framed.shape[1] - width, width : framed.shape[2] - width] = result
            result = framed
        return result

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """The shape [c, h, w] of a picture before preparation. Raises UserError for a net that does not see pictures."""
        first, *others = self.model.graph.inputs
        if others or len(self.model.net.outputs) > 1:
            inputs, outputs = ", ".join(self.model.net.inputs), ", ".join(self.model.net.outputs)
            raise UserError(f"{self.model.name} takes {inputs} and gives {outputs}: no single picture has a class", "call it from Python")
        shape = first.type.sample
        if len(shape) != 3:
            raise UserError(f"{self.model.name} takes {list(shape)}, no pictures [c, h, w]")
        pad = prepared(usable_plan(self.model).prepare, shape).pad
        return shape[0], shape[1] - 2 * pad, shape[2] - 2 * pad


def open_run(folder: Path) -> Run:
    """A run folder (its best weights, else its last) or a checkpoint file. Raises UserError."""
    file = folder
    if folder.is_dir():
        file = next((folder / name for name in (BEST, LAST) if (folder / name).is_file()), folder / LAST)
        if not file.is_file():
            raise UserError(f"{folder} holds no weights", f"a run folder has {BEST} or {LAST}: `netspec train` makes one")
    checkpoint = load(file)
    text, place, net, params = (checkpoint.metadata.get(name) for name in ("spec", "file", "net", "params"))
    if not (isinstance(text, str) and isinstance(place, str) and isinstance(net, str) and isinstance(params, dict)):
        raise UserError(f"{file}: the file does not say which net it is of")
    given = {name: str(value) for name, value in params.items()}
    imports = checkpoint.metadata.get("imports")
    carried = tuple((key, str(value)) for key, value in imports.items()) if isinstance(imports, dict) else ()
    block = checkpoint.metadata.get("block")
    source = Source(place, text, carried)
    return Run(file, model(source, net, given, block=block if isinstance(block, str) else None), checkpoint)


def model_of(folder: Path, seed: int | None = None) -> Model:
    """The net of a run folder, with the seed that the run was started with unless another one is given."""
    found = open_run(folder / LAST)
    saved = found.checkpoint.metadata.get("seed")
    return found.model.seeded(seed if seed is not None else saved if isinstance(saved, int) else None)


@dataclass(frozen=True)
class Prediction:
    """What a net sees in a picture: a probability per class."""

    path: Path
    probabilities: NDArray[np.float32]
    inverted: bool

    @property
    def best(self) -> int:
        """The most probable class."""
        return int(np.argmax(self.probabilities))

    def as_json(self) -> dict[str, object]:
        """For `--format json`."""
        shares = [round(float(value), 6) for value in self.probabilities]
        return {"image": str(self.path), "class": self.best, "probabilities": shares, "inverted": self.inverted}

    def bars(self, most: int = 10, width: int = 40) -> Text:
        """A line per class, the most probable ten where there are more, with a bar as long as it is probable."""
        told = " (light and dark swapped)" if self.inverted else ""
        text = Text(f"{self.path}: {self.best}, {self.probabilities[self.best]:.1%}{told}\n", style="bold")
        order = np.argsort(-self.probabilities, kind="stable")[:most]
        for k in sorted(int(item) for item in order) if len(self.probabilities) <= most else order:
            share = float(self.probabilities[k])
            style = "bold green" if k == self.best else "dim"
            text.append(f"  {k:>4}  {'█' * round(share * width):<{width}} {share:6.1%}\n", style=style)
        return text


def classify(run: Run, images: Sequence[Path], invert: bool | None) -> list[Prediction]:
    """The class probabilities of picture files. Raises UserError."""
    shape = run.picture_shape
    read = [picture(path, shape, invert) for path in images]
    net = run.compile(batch=len(read))
    logits = net(np.stack([run.prepare(pixels) for pixels, _ in read]))
    if logits.ndim != 2:
        raise UserError(f"{run.model.name} gives {list(logits.shape[1:])}, no classes")
    plan = run.model.plan
    if plan is not None and any(LOSSES[term.loss.name].best == "smallest" for term in plan.loss[:1]):
        logits = -logits
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return [Prediction(path, share, turned) for path, share, (_, turned) in zip(images, shares, read, strict=True)]


def picture(path: Path, shape: tuple[int, int, int], invert: bool | None) -> tuple[NDArray[np.float32], bool]:
    """A picture file as pixels [c, h, w] in [0, 1], resized; whether it was inverted. Raises UserError.

    `invert` None: dark digits on a light ground become light ones on a dark ground, as the data has them, where the net sees one channel.
    """
    from PIL import Image, UnidentifiedImageError

    channels, height, width = shape
    if channels not in (1, 3):
        raise UserError(f"a picture has 1 or 3 channels, the net takes {channels}")
    Image.MAX_IMAGE_PIXELS = 64_000_000
    try:
        with Image.open(path, formats=("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")) as image:
            flat = image.convert("RGBA" if image.mode in ("RGBA", "LA", "PA") else "RGB")
            if flat.mode == "RGBA":  # what is transparent is white, as on a page
                flat = Image.alpha_composite(Image.new("RGBA", flat.size, "white"), flat).convert("RGB")
            fitted = flat.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    except FileNotFoundError as error:
        raise UserError(f"no such picture: {path}") from error
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a picture that can be read: {error}", "PNG, JPEG, BMP, GIF, WebP or PPM") from error
    pixels = np.asarray(fitted, np.float32).reshape(height, width, channels).transpose(2, 0, 1) / np.float32(255)
    edge = np.concatenate([pixels[:, 0].ravel(), pixels[:, -1].ravel(), pixels[:, :, 0].ravel(), pixels[:, :, -1].ravel()])
    turned = bool(channels == 1 and edge.mean() > 0.5) if invert is None else invert
    return np.ascontiguousarray(1 - pixels if turned else pixels), turned
