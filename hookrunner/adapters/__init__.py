"""The outside, one module each: the only code that does I/O of its own."""
