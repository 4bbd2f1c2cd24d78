"""`python -m services.model_sync --models DIR`: put models in place for TensorFlow Serving."""

from services.model_sync.sync import main

main()
