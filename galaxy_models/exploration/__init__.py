"""Predictions explored by their embeddings: similar, odd and instructive galaxies.

Knows predictions and catalogs as tables; it knows neither networks nor Ray.
"""
