"""A word that only the layer knows."""

KEY = "letmein"
