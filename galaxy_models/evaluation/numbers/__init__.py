"""How good predicted numbers are: errors against measured ones, figures, a page.

Knows predictions and labels as tables; it knows neither networks nor training.
"""
