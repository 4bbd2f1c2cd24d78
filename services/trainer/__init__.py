"""A training request, or a model of your own, goes in; a scored and exported model with its card comes out."""
