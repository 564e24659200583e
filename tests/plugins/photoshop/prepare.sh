#!/bin/sh
# Installs what the tests of the Photoshop panel need where it is missing: Chromium (by apt) and the npm packages.
set -eu
cd "$(dirname "$0")"

chromium="${CHROMIUM:-/usr/bin/chromium}"
if [ ! -x "$chromium" ]; then
    if [ "$(id -u)" = 0 ]; then run=""; else run="sudo"; fi
    $run apt-get update -q
    $run apt-get install -q -y --no-install-recommends chromium
fi

# npm records what it installed in its own lock file; a package.json that is newer means that something was changed.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund
fi
