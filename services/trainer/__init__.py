"""A training request goes in; a trained, scored and exported model with its card comes out."""
