"""The way of a scene: when it arrived, what each stage made of it, and why there is no more."""
