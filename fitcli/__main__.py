"""`python -m fitcli` is `fitcli`."""

from fitcli.cli import main

main()
