"""hookrunner measured beside what one would take instead: `README.md` says what and why."""
