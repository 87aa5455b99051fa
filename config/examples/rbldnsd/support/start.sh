#!/bin/sh
# The data, where it is not there yet; then the server. The path of the data goes through the
# checkout's link, so that a reload finds the new tree.
# shellcheck source=/dev/null disable=SC2154
set -e

. /srv/support/settings
container-update --init

exec rbldnsd -n -f -u rbldns -p /run/rbldnsd.pid -b "0.0.0.0/$port" "$zone:$kind:/srv/data/$file"
