#!/bin/sh
# The data as the server itself reads it, which leaves out a bad line and goes on; and where
# the tree is the live one, that the running server serves it.
# shellcheck source=/dev/null disable=SC2154
set -e

. /srv/support/settings
tree=$CONTAINER_CHECKOUT

echo ">> Checking $file"
words=$(rbldnsd -d "$zone:$kind:$tree/$file" 2>&1 >/dev/null) || {
    printf '%s\n' "$words"
    exit 1
}
if printf '%s\n' "$words" | grep -E '\([0-9]+\): '; then exit 1; fi
grep -q '^[$]SOA ' "$tree/$file" || {
    echo "$file has no \$SOA, so nobody can see what is served"
    exit 1
}

[ "$(readlink -f "$tree")" = "$(readlink -f /srv/data)" ] || exit 0

echo ">> Asking the server"
tries=50
until [ "$(served)" = "$(stat -L -c %Y "$tree/$file")" ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || {
        echo "the server does not serve $file as it is in $tree"
        exit 1
    }
    sleep 0.1
done
