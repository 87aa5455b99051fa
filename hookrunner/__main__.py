"""Run the command line: ``python -m hookrunner``."""

from hookrunner.cli.main import main

main()
