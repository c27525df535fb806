"""solon: let a language model live by a constitution.

Importing this package is light: no torch, no transformers, no network.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
