#!/bin/sh
# The configuration and the zones as BIND itself reads them; and where the tree is the live
# one, that the running server serves what is in it.
set -e

tree=$CONTAINER_CHECKOUT

# Prints the serial of a zone's file.
serial_of() {
    named-checkzone "$1" "$tree/zones/$1" | sed -n 's/.* loaded serial \([0-9]*\).*/\1/p'
}

# Does the server serve this serial of a zone? It loads zones just after it said so.
serves() {
    tries=50
    until [ "$(dig +short +time=1 +tries=1 @127.0.0.1 "$1" SOA | cut -d ' ' -f 3)" = "$2" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

echo ">> Checking named.conf syntax"
named-checkconf "$tree/named.conf"

echo ">> Checking zones.."
for zone in "$tree"/zones/*; do
    named-checkzone -q "${zone##*/}" "$zone" || {
        named-checkzone "${zone##*/}" "$zone" || true # this time with its words
        exit 1
    }
done

[ "$(readlink -f "$tree")" = "$(readlink -f /srv/data)" ] || exit 0

echo ">> Asking the name server"
for zone in "$tree"/zones/*; do
    zone=${zone##*/}
    serves "$zone" "$(serial_of "$zone")" || {
        echo "the server does not serve $zone as it is in $tree"
        exit 1
    }
done
