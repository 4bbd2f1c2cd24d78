"""Names that Hugin's training files have behind their tags; all others are refused."""

from __future__ import annotations

from typing import Final

OPTIMISERS: Final = frozenset(
    f"keras.optimizers.{name}"
    for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "Ftrl", "Nadam", "RMSprop", "SGD")
)
CALLBACKS: Final = frozenset(
    f"keras.callbacks.{name}"
    for name in ("CSVLogger", "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN")
)
METRICS: Final = frozenset(
    {
        *(
            f"keras.metrics.{name}"
            for name in (
                "AUC", "Accuracy", "BinaryAccuracy", "BinaryIoU", "CategoricalAccuracy", "IoU", "MeanIoU", "OneHotIoU",
                "OneHotMeanIoU", "Precision", "Recall", "TopKCategoricalAccuracy",
            )
        ),
        *(
            f"hugin.tools.utils.{name}"
            for name in ("InTopK", "MeanIoU", "UpdatedMeanIoU", "dice_coef", "jaccard_coef", "mean_iou", "psnr")
        ),
    }
)  # fmt: skip
LOSSES: Final = frozenset(
    {
        "keras.losses.BinaryCrossentropy", "keras.losses.BinaryFocalCrossentropy",
        "keras.losses.CategoricalCrossentropy", "keras.losses.CategoricalFocalCrossentropy", "keras.losses.Dice",
        "hugin.tools.loss.keras_dice_loss",
    }
)  # fmt: skip
LOADERS: Final = frozenset(
    f"hugin.io.{name}"
    for name in ("FSSpecFilesystemLoader", "FileLoader", "FileSystemLoader", "ZarrArrayLoader", "ZarrArrayLoaderTFData")
)
MODELS: Final = frozenset({"hugin.engine.keras.KerasModel"})
TRAINERS: Final = frozenset({"hugin.engine.scene.ArrayModelTrainer", "hugin.engine.scene.RasterSceneTrainer"})

CALLS: Final = frozenset(
    {
        *OPTIMISERS, *CALLBACKS, *METRICS, *LOSSES, *LOADERS, *MODELS, *TRAINERS,
        "hugin.engine.scene.ArrayExporter", "hugin.engine.scene.ArrayModelPredictor",
        "hugin.engine.scene.AvgEnsembleScenePredictor", "hugin.engine.scene.RasterIOSceneExporter",
        "hugin.engine.scene.RasterScenePredictor", "hugin.io.BinaryCategoricalConverter",
        "hugin.io.CategoricalConverter", "hugin.io.loader.BinaryCategoricalConverter",
        "hugin.io.loader.CategoricalConverter", "hugin.models.skl.StandardScaler.StandardScalerTransformer",
        "hugin.models.unet.UNet", "hugin.preprocessing.augmentation.Augmentation",
        "hugin.preprocessing.standardize.SkLearnStandardizer",
    }
)  # fmt: skip
"""Behind `!!python/object/apply:`."""

NAMES: Final = METRICS | LOSSES
"""Behind `!!python/name:`."""


def plain_name(given: str) -> str:
    """Return a name as of Keras itself: `tensorflow.keras.optimizers.Adam` is `keras.optimizers.Adam`."""
    for prefix in ("tensorflow.", "tf."):
        if given.startswith(f"{prefix}keras."):
            return given.removeprefix(prefix)
    return given
