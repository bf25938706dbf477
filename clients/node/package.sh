#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Make the npm package of a build (make node-package): BUILD/corral-client-VERSION.tgz. The addon,
# the agent's program and the module for carts on other machines are in it, and nothing is built, or
# run, when it is installed. The licences of the libraries that are linked in come from their Debian
# packages.
# Usage: clients/node/package.sh BUILD
set -euo pipefail
build=$(realpath -e "$1")
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cp -R "$build/node/." "$folder"
cp ../../LICENSE README.md "$folder"
# What is linked in has licences of its own, which want to be told.
mkdir "$folder/licenses"
for library in hiredis jansson msgpack urcu xxhash; do
	cp "/usr/share/doc/lib$library-dev/copyright" "$folder/licenses/$library"
done
cp /usr/share/doc/libssl-dev/copyright "$folder/licenses/openssl"
strip --strip-unneeded "$folder"/native/*/*
# The greatest version of glibc's symbols that they use is the oldest glibc that will do.
glibc=$(objdump -T "$folder"/native/*/* | grep -oE 'GLIBC_2\.[0-9]+' | sort -uV | tail -n 1)
node - "$folder/package.json" "${glibc#GLIBC_}" <<'END'
const fs = require('node:fs')
const [, , file, glibc] = process.argv
const { devDependencies, ...description } = JSON.parse(fs.readFileSync(file, 'utf8'))
fs.writeFileSync(file, JSON.stringify({ ...description, glibc }, null, 2) + '\n')
END
npm pack "$folder" --pack-destination "$build" --ignore-scripts --silent
