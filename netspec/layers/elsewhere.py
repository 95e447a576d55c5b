"""What other libraries call layers and arguments: PyTorch, Keras, Caffe, Darknet, ONNX. For messages alone: netspec takes its own names.

Names are compared without case, underscores and a `1d` or `2d` at their end: `MaxPool2d`, `max_pool_2d` and `maxpool` are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final


def _names(table: Mapping[str, str]) -> dict[str, list[str]]:
    """By the foreign name, what it may mean."""
    found: dict[str, list[str]] = {}
    for ours, names in table.items():
        for name in names.split():
            found.setdefault(name, []).append(ours)
    return found


_LAYERS: Final = _names(
    {
        "conv": "convolution convolutional",
        "convt": "convtranspose conv2dtranspose convtransposed deconv deconvolution deconvolutional transposedconv",
        "dense": "linear fc fullyconnected innerproduct connected gemm",
        "bn": "batchnorm batchnormalization",
        "lrn": "localresponsenorm localresponsenormalization localresponse",
        "layernorm": "layernormalization ln",
        "groupnorm": "groupnormalization gn",
        "maxpool": "maxpooling pool pooling",
        "avgpool": "avgpooling averagepool averagepooling meanpool",
        "lppool": "lpnormpool l2pool",
        "prelu": "parametricrelu",
        "gap": "globalaveragepool globalaveragepooling globalavgpool adaptiveavgpool",
        "gmp": "globalmaxpool globalmaxpooling adaptivemaxpool",
        "up": "upsample upsampling interpolate",
        "pad": "zeropad zeropadding constantpad",
        "crop": "cropping centercrop",
        "reshape": "view unflatten",
        "shuffle": "channelshuffle",
        "droppath": "stochasticdepth",
        "leaky_relu": "leaky lrelu",
        "silu": "swish",
        "sigmoid": "logistic",
        "add": "shortcut eltwise sum plus residual",
        "mul": "multiply scalechannels times",
        "max": "maximum maxout",
        "concat": "concatenate cat route",
        "skip": "identity noop pass passthrough",
    }
)
_ARGUMENTS: Final = _names(
    {
        "c": "filters outchannels numoutput channels outplanes",
        "n": "size localsize depthradius",
        "units": "outfeatures numoutput output nhidden",
        "k": "kernel kernelsize kernelshape ksize poolsize windowsize window size",
        "stride": "strides subsampling subsample",
        "pad": "padding pads",
        "dilation": "dilations dilationrate",
        "groups": "group ngroups numgroups",
        "bias": "usebias biasterm",
        "rate": "p prob probability dropprob dropoutratio ratio",
        "axis": "dim dims",
        "eps": "epsilon",
        "ceil": "ceilmode",
        "count_pad": "countincludepad",
        "slope": "negativeslope alpha",
        "init": "kernelinitializer weightfiller initializer",
        "lr": "learningrate baselr steplr eta",
    }
)
_LEAVE_OUT: Final = {
    **dict.fromkeys(
        ("inchannels", "infeatures", "inputshape", "inputdim", "inputsize", "numfeatures", "inplanes"),
        "it follows from the current tensor: leave it out",
    ),
    **dict.fromkeys(("activation", "act", "nonlinearity"), "an activation is a step of its own: `dense(84) -> relu`"),
    **dict.fromkeys(("name", "id"), "a name is a label at the start of the line: `c1: conv(6, 5x5)`"),
    **dict.fromkeys(("weightdecay", "kernelregularizer", "decay"), "in the train block: `regularize = [l2(5e-4)]`"),
    **dict.fromkeys(("dataformat", "channelslast"), "shapes are always [c, h, w]; memory is laid out by the compiler: leave it out"),
    **dict.fromkeys(("inplace",), "the compiler shares memory by itself: leave it out"),
    **dict.fromkeys(("dtype", "device"), "it is no property of a layer: leave it out"),
}


def _plain(name: str) -> str:
    plain = name.lower().replace("_", "")
    return plain[:-2] if plain[-2:] in ("1d", "2d") else plain


def _meant(name: str, table: Mapping[str, list[str]], known: Iterable[str]) -> str | None:
    plain, ours = _plain(name), {_plain(item): item for item in known}
    return next((ours[_plain(item)] for item in (plain, *table.get(plain, ())) if _plain(item) in ours), None)


def layer_meant(name: str, known: Iterable[str]) -> str | None:
    """The step of netspec, one of `known`, that another library calls so."""
    return _meant(name, _LAYERS, known)


def argument_meant(name: str, known: Iterable[str]) -> str | None:
    """The argument, one of `known`, that another library calls so."""
    return _meant(name, _ARGUMENTS, known)


def instead_of(argument: str) -> str | None:
    """What to do instead of giving an argument that other libraries have and netspec does not."""
    return _LEAVE_OUT.get(_plain(argument))
