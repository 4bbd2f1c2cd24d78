"""A model's item goes in; its SavedModel comes out on the local disk of TensorFlow Serving, which reads no S3."""
