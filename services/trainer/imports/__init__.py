"""Models that people bring: checked before TensorFlow loads them, scored as ours are, and published beside them."""
