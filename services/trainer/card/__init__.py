"""A model's card: one self-contained page that a person wants to read, on a screen or on paper."""

from services.trainer.card.page import write_card

__all__ = ["write_card"]
