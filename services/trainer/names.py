"""What people call the networks."""

from __future__ import annotations

from collections.abc import Mapping

from shared.area.training import Network, TrainingSettings

NAMES: Mapping[Network, str] = {
    "unet": "U-Net",
    "segnet": "SegNet",
    "resnet": "ResNet encoder with decoder",
    "multiscale": "perceptron on multi-scale texture",
}


def architecture(settings: TrainingSettings) -> str:
    """Return the networks that settings name: `U-Net + SegNet`."""
    return " + ".join(NAMES[name] for name in settings.networks)


def describe(settings: TrainingSettings) -> str:
    """Return the networks that settings name, as a part of a sentence."""
    *first, last = [f"a {NAMES[name]}" for name in settings.networks]
    if not first:
        return f"{last}, trained from scratch"
    both = "both" if len(first) == 1 else "all"
    return f"the mean of {', '.join(first)} and {last}, {both} trained from scratch"
