#!/bin/sh
# Install the packages that building and checking the artefacts requires, on Debian and derivatives.
# If that fails, it says so and continues: artefacts that lack something are reported as skipped.
set -u
cd "$(dirname "$0")"

missing=
for package in $(cat packages.txt ./*/packages.txt 2>/dev/null | sort -u); do
  dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed, because that requires root and apt-get:$missing" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt-get update >"$log" 2>&1 || tail -n 3 "$log" >&2
# Together first, which is faster; then one by one, so that an unavailable one affects no others.
# shellcheck disable=SC2086 # words
apt-get install --yes --no-install-recommends $missing >"$log" 2>&1 && exit 0
for package in $missing; do
  apt-get install --yes --no-install-recommends "$package" >"$log" 2>&1 ||
    echo "$package can't be installed: $(grep '^E:' "$log" | tail -n 1)" >&2
done
