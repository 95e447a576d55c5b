"""What other libraries call the settings of a train block and what they take. For messages alone: netspec takes its own names."""

from __future__ import annotations

from typing import Final

_SETTINGS: Final = {
    **dict.fromkeys(("batch_size", "batchsize", "minibatch", "mini_batch"), "batch"),
    **dict.fromkeys(("num_epochs", "max_epochs", "n_epochs", "epoch"), "epochs"),
    **dict.fromkeys(("max_iter", "iterations", "num_steps", "max_steps", "max_batches"), "steps"),
    **dict.fromkeys(("dataset", "data_dir", "train_data", "input_data"), "data"),
    **dict.fromkeys(("criterion", "objective", "loss_fn", "loss_function"), "loss"),
    **dict.fromkeys(("solver", "optim", "algorithm"), "optimizer"),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_policy", "lr_schedule"), "schedule"),
    **dict.fromkeys(("augmentation", "augmentations", "transforms", "transform"), "augment"),
    **dict.fromkeys(("preprocessing", "preprocess", "normalization"), "prepare"),
    **dict.fromkeys(("regularizer", "regularization"), "regularize"),
    **dict.fromkeys(("random_seed", "random_state"), "seed"),
    **dict.fromkeys(("early_stopping", "patience"), "stop"),
    **dict.fromkeys(("clip_grad", "gradient_clipping", "clip_norm"), "clip"),
    **dict.fromkeys(("accumulation", "gradient_accumulation", "accumulate_grad_batches"), "accumulate"),
    **dict.fromkeys(("dtype", "amp", "mixed_precision"), "precision"),
    **dict.fromkeys(("pretrained", "checkpoint"), "weights"),
}
_ELSEWHERE: Final = {
    **dict.fromkeys(("learning_rate", "lr", "base_lr"), "it belongs to the optimizer: `optimizer = sgd(lr=0.1)`"),
    **dict.fromkeys(("momentum",), "it belongs to the optimizer: `optimizer = sgd(lr=0.1, momentum=0.9)`"),
    **dict.fromkeys(("weight_decay", "decay"), "it is a regulariser: `regularize = [l2(5e-4)]`"),
    **dict.fromkeys(("val_split", "validation_split", "validation"), "it belongs to the reader: `data = mnist5k(val=10%)`"),
    **dict.fromkeys(("num_workers", "device", "metrics"), "it is always so, or chosen by itself: leave it out"),
}
_CALLS: Final = {
    **dict.fromkeys(("nll_loss", "nll", "softmax_loss", "softmaxwithloss", "categorical_crossentropy", "xent", "ce"), "cross_entropy"),
    **dict.fromkeys(("sparse_categorical_crossentropy", "logloss"), "cross_entropy"),
    **dict.fromkeys(("mseloss", "mean_squared_error", "l2loss", "l2_loss", "euclidean"), "mse"),
    **dict.fromkeys(("l1loss", "l1_loss", "mean_absolute_error"), "mae"),
    **dict.fromkeys(("smooth_l1", "smoothl1loss", "huberloss"), "huber"),
    **dict.fromkeys(("bcewithlogitsloss", "bceloss", "binary_crossentropy", "binary_cross_entropy"), "bce"),
    **dict.fromkeys(("mnist",), "mnist5k"),
    **dict.fromkeys(("image_folder", "imagefolder", "imagenet"), "images"),
    **dict.fromkeys(("steplr", "multistep", "multisteplr", "steps"), "step"),
    **dict.fromkeys(("exponentiallr", "exp"), "exponential"),
    **dict.fromkeys(("cosineannealing", "cosineannealinglr", "cosine_annealing", "cosine_decay"), "cosine"),
    **dict.fromkeys(("onecycle", "onecyclelr"), "one_cycle"),
    **dict.fromkeys(("reducelronplateau", "reduce_on_plateau"), "plateau"),
    **dict.fromkeys(("randomhorizontalflip", "horizontal_flip", "flip"), "hflip"),
    **dict.fromkeys(("randomrotation", "rotation"), "rotate"),
    **dict.fromkeys(("translate", "random_shift"), "shift"),
    **dict.fromkeys(("weight_decay", "ridge"), "l2"),
    **dict.fromkeys(("lasso",), "l1"),
}


def setting_meant(name: str) -> tuple[str | None, str | None]:
    """The setting that is called so elsewhere; else what to write instead of it."""
    return _SETTINGS.get(name.lower()), _ELSEWHERE.get(name.lower())


def call_meant(name: str) -> str | None:
    """The loss, optimizer, schedule or reader that is called so elsewhere."""
    return _CALLS.get(name.lower())
