"""Import models in a process of its own: `python -m tests.services.trainer.imports.import_once FOLDER`.

Each is a network of one convolution over both inputs; what is tested is which of them become models of the store.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from services.trainer.determinism import pin, set_environment
from services.trainer.item import describe_signature, write_split
from services.trainer.split import count_blocks, deal_holdout
from services.trainer.stage import STAGE
from shared.area.area import load_area
from shared.items.item import Item
from shared.items.model_archive import pack
from shared.items.properties import ModelImportFacts
from shared.stage.declare import Job, LocalItem, RejectScene, Source, Task
from tests.services.trainer.fake_cube import FakeCube

AREA = load_area(Path(__file__).parents[4] / "examples" / "areas" / "small.yaml")
CLASSES = len(AREA.labels.classes)
CARD = {"mlm:name": "one-by-one", "mlm:architecture": "1 x 1 <convolution>", "mlm:tasks": ["semantic-segmentation"]}

Answer = Callable[[Any, Any], dict[str, Any]]


def answer_of(share_of: Callable[[Any], Any], unseen: int = 0, left_out: bool = False) -> Answer:
    """A function as a model has it: stored values to shares of classes.

    Args:
        share_of: float32 (batch, y, x, 10) -> shares float32 (batch, y, x, K).
        unseen: class where nothing was observed; 0 is right.
        left_out: whether it answers 0 on every other row, which is wrong.
    """
    import tensorflow as tf

    def answer(msi_10m: Any, msi_20m: Any) -> dict[str, Any]:
        coarse = tf.repeat(tf.repeat(tf.cast(msi_20m, tf.float32), 2, axis=1), 2, axis=2)
        stored = tf.concat([tf.cast(msi_10m, tf.float32), coarse], axis=-1)
        seen = tf.reduce_all(stored > 0, axis=-1)
        if left_out:
            seen &= (tf.range(tf.shape(seen)[1]) % 2 == 0)[None, :, None]
        share = share_of((stored - 1000.0) / 10_000.0) * tf.cast(seen, tf.float32)[..., None]
        value = tf.where(seen, tf.cast(tf.argmax(share, axis=-1), tf.uint8) + 1, tf.cast(unseen, tf.uint8))
        return {
            "class": value,
            "confidence": tf.cast(tf.round(tf.reduce_max(share, axis=-1) * 100), tf.uint8),
            "probabilities": tf.cast(tf.round(share * 255), tf.uint8),
        }

    return answer


def save(folder: Path, answer: Answer, *tracked: Any) -> None:
    """Write a SavedModel whose two signatures are one function."""
    import tensorflow as tf

    module = tf.Module()
    module.tracked = list(tracked)
    specs = [tf.TensorSpec((None, None, None, n), tf.uint16, name) for name, n in (("msi_10m", 4), ("msi_20m", 6))]
    function = tf.function(answer, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function, "probabilities": function})


def models() -> dict[str, tuple[Answer, list[Any]]]:
    """Models by what is special about them."""
    import keras
    import tensorflow as tf

    layers = keras.layers
    bands = keras.Input((None, None, 10))
    # What else ordinary networks are made of: nothing of it may be refused.
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="silu")(bands)
    x = layers.SeparableConv2D(8, 3, padding="same", activation="gelu")(layers.LayerNormalization()(x))
    x = layers.GroupNormalization(2)(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(8, 2, strides=2, activation="elu")(x)
    x = layers.Concatenate()([x, layers.UpSampling2D(2)(layers.AveragePooling2D(2)(x))])
    x = layers.Multiply()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)])
    x = layers.Dropout(0.5)(layers.PReLU(shared_axes=[1, 2])(x))
    rich = keras.Model(bands, layers.Conv2D(CLASSES, 1, activation="softmax")(x))
    first = tf.constant(np.eye(CLASSES, dtype=np.float32)[0])
    weight = tf.Variable(np.eye(10, CLASSES, dtype=np.float32))

    def of_first(scaled: Any) -> Any:
        return tf.ones_like(scaled[..., :1]) * first

    def of_python(scaled: Any) -> Any:
        return tf.ensure_shape(
            tf.py_function(lambda values: values[..., :CLASSES], [scaled], tf.float32), (None, None, None, CLASSES)
        )

    def of_loop(scaled: Any) -> Any:
        return of_first(tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x + 1.0), [0, scaled])[1])

    def of_learning(scaled: Any) -> Any:
        weight.assign_add(tf.ones_like(weight))
        return tf.nn.softmax(tf.einsum("byxi,ic->byxc", scaled, weight))

    return {
        "rich": (answer_of(lambda scaled: rich(scaled, training=False)), [rich]),
        "first": (answer_of(of_first), []),
        "python": (answer_of(of_python), []),
        "loop": (answer_of(of_loop), []),
        "learning": (answer_of(of_learning), [weight]),
        "classes": (answer_of(lambda scaled: of_first(scaled)[..., : CLASSES - 1]), []),
        "everywhere": (answer_of(of_first, unseen=1), []),
        "left out": (answer_of(of_first, left_out=True), []),
        "other": (answer_of(of_first), []),
        "large": (answer_of(lambda scaled: of_first(tf.reshape(scaled, (-1, 64, 64, 10)))), []),
    }


def main() -> None:
    """Import each model; write what became of it as `found.json`."""
    set_environment()
    from services.trainer.process import process

    pin(0)  # before TensorFlow makes the models below: its threads are fixed once for a process
    root, cube = Path(sys.argv[1]), FakeCube(AREA, ("2018-W20", "2018-W25"))
    counts = count_blocks(cube.given, CLASSES)
    holdout = deal_holdout(counts)
    (root / "hold-out.json").write_text(write_split(AREA, holdout))
    dealt = Item({"id": "clc-1--v1-00000001", "collection": "hold-outs", "properties": {}}, "static")
    context = (LocalItem(dealt, {"hold_out": root / "hold-out.json"}),)
    card = root / "card.json"
    card.write_text(json.dumps(CARD | describe_signature(AREA)))
    found: dict[str, Any] = {}
    for name, (answer, tracked) in models().items():
        folder = root / name
        save(folder / "saved", answer, *tracked)
        pack(folder / "saved", folder / "model.tar")
        sha256 = hashlib.sha256((folder / "model.tar").read_bytes() + (b"other" if name == "other" else b""))
        facts = ModelImportFacts(name="one-by-one", title="a <title>", sha256=sha256.hexdigest())
        json_of = {"id": f"{name}--v1-00000000", "collection": "model-imports", "properties": facts.properties()}
        brought = LocalItem(Item(json_of, "static"), {"model": folder / "model.tar", "card": card})
        job = Job("models", AREA.name, "static", (Source(brought.item, ("model", "card")),))
        work = folder / "work"
        work.mkdir()
        task = Task(job, (brought,), context, None, AREA, STAGE.settings(), work, cube)  # type: ignore[arg-type]
        try:
            result = process(task)
        except RejectScene as rejected:
            found[name] = {"file": rejected.file, "fault": rejected.fault, "remedy": rejected.remedy}
        else:
            assets = {key: asset.path.name for key, asset in result.assets.items()}
            found[name] = {"properties": result.properties, "assets": assets, "extensions": result.extensions}
    expected = counts[holdout == 2].sum(axis=0)
    (root / "found.json").write_text(json.dumps({"found": found, "pixels": expected.tolist()}, allow_nan=False))


if __name__ == "__main__":
    main()
