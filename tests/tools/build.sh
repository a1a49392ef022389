#!/usr/bin/env bash
# Builds bin/ibforge and the programs that go beside it.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PATH

# Without gpgme and btrfs headers: signatures are not in use, and the store's
# driver is overlay. Buildah needs cgo for its re-executed children.
CGO_ENABLED=1 go build -tags=containers_image_openpgp,exclude_graphdriver_btrfs -trimpath -o bin/ibforge ./cmd/ibforge

# These run in images and on hosts whose libc nobody knows. Without symbols and
# version control data: their digests are part of images' keys, and a commit
# that does not touch them must not change those.
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o bin/ ./cmd/ibforge-ports ./cmd/ibforge-portmap
