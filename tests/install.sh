#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing needs, from Debian. Root. Nothing is started: a service that a package brings along
# stays down on the machine that only builds.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "tests/install.sh: run it as root (sudo tests/install.sh)" >&2; exit 1; }

packages=$(sed 's/#.*//' "$here/packages.list")
missing=
for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

# invoke-rc.d asks this file before it starts a service. One that was there already is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -q
# shellcheck disable=SC2086 a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
