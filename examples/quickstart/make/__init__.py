"""How the quickstart's tiny models are made: ``make_models.py`` is the way through."""
