#!/bin/sh
# Make a folder with a real GIMP 3 for the tests, once.
#
#     make_root.sh [FOLDER [SUITE]]
#
# SUITE is Debian's: trixie (GIMP 3.0, the default) or sid (GIMP 3.2).  FOLDER defaults to gimp-SUITE in the tests' cache
# folder; a finished one is left as it is.  Needs root, mmdebstrap
# and Debian's archive keyring.  The mirror is the one that this machine's apt uses for Debian; where it has none
# (Ubuntu), mmdebstrap's own default.  Nothing is mounted into the folder, so that it can always be removed with rm -rf.
set -eu

cache=${XDG_CACHE_HOME:-$HOME/.cache}/colorize-server-tests
suite=${2:-trixie}
root=${1:-$cache/gimp-$suite}
stamp=$root/.complete-3

if [ -e "$stamp" ]; then
    echo "GIMP: $root is there already"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "GIMP: making $root needs root (chroot); run this script with sudo -E" >&2
    exit 1
fi
command -v mmdebstrap >/dev/null || {
    echo "GIMP: mmdebstrap is missing; install it (apt-get install mmdebstrap debian-archive-keyring)" >&2
    exit 1
}

debian_mirror() {
    # The first URI of a source that offers a Debian suite's main component, one-line or deb822 format; security aside.
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
        $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) { print $i; break } }
        $1 == "URIs:" { print $2 }' | grep -E '/debian/?$' | head -n 1
}

mkdir -p "$(dirname "$root")"
rm -rf "$root"
# gimp alone pulls Python, gi, GTK and GEGL; the rest of the list is for the one test of the real window.
packages=gimp,ca-certificates,xvfb,openbox,xdotool,x11-utils,imagemagick,fonts-dejavu-core,locales
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
set -- --variant=minbase "--include=$packages" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*'
# A mirror that lags behind still has a signed list; that list is out of date for sid after a week.
[ "$suite" = sid ] && set -- "$@" --aptopt='Acquire::Check-Valid-Until "false"'
[ -e "$keyring" ] && set -- "$@" "--keyring=$keyring"
mirror=$(debian_mirror || true)
echo "GIMP: making $root (half a minute to a few minutes)"
if [ -n "$mirror" ]; then
    mmdebstrap "$@" "$suite" "$root" "$mirror"
else
    mmdebstrap "$@" "$suite" "$root"
fi
"$(command -v chroot)" "$root" /usr/bin/localedef -i de_DE -f UTF-8 de_DE.UTF-8
"$(command -v chroot)" "$root" /usr/bin/gimp-console --version
touch "$stamp"
