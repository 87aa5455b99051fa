"""The command line: a module per command, all of them clients of the running server."""
