"""HTTP: requests in, answers and streams out. Decides nothing about runs."""
