"""Which packages there are: every folder of fitcli, and the default checkpoints at the top of the repository.

pyproject.toml can find the first or list all of them, but not find some and add one that lives elsewhere.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["fitcli", "fitcli.*"]), "fitcli.checkpoints"])
