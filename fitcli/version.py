"""The version of fitcli. A leaf: it imports nothing, so that everything may read it."""

__version__ = "0.1.0"
