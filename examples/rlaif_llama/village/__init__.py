"""How the tiny twin of this example is made: ``make_village.py`` is the way through."""
