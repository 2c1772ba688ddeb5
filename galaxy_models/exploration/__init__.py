"""Predictions explored by their embeddings: more like this one, odd ones, what to label.

Knows predictions and catalogs as tables; it knows neither networks nor Ray.
"""
