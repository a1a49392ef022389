// Package buildah is the image store: it carries plan steps out in buildah
// working containers, commits one layer per step, and keeps each result under
// the step's key, so that a known key is a look-up of milliseconds and not a
// build. It is the only package that imports buildah and its libraries.
//
// What is unusual and why:
//
//   - Package managers stay outside. The build host's apt resolves and
//     downloads into the store, verified by the archive's signatures; dpkg runs
//     inside the working container with no network. Images need no apt, and
//     neither package lists nor the build host's mirror can get into one.
//   - The overlay driver is fixed: vfs and overlay export the same tree with
//     different tar members, and with it another digest.
//   - OCI isolation with runc is fixed: chroot isolation shares the host's
//     network and processes with what a description runs.
package buildah
