"""Decisions: pure functions and reducers. No I/O, no clock; time comes in as an argument."""
