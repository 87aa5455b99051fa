#!/bin/sh
# One line for a monitoring system: does it run, and does it serve what is in its zones?

said=$(rndc status 2>&1) || {
    echo "CRITICAL: named does not answer: $said"
    exit 2
}
if ! wrong=$(container --validate 2>&1); then
    echo "WARNING: it does not validate: $(printf '%s\n' "$wrong" | tail -n 1)"
    exit 1
fi
echo "OK: $(printf '%s\n' "$said" | grep '^number of zones')"
