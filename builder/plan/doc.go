// Package plan turns a valid description into the ordered Steps that make its
// image, each with one content key, and into the image's Runtime contract.
//
// The package is pure: it opens no store, no network and no clock. All it
// reads beside the [spec.Project] are the files of the rootfs directories, and
// those through the file systems that spec has opened. The same project with
// the same Options gives the same Plan, byte for byte; that is why a step
// whose key is known to the store need not be done again.
//
// It may be imported by builder/engine, builder/cli and tests. It imports spec
// and contract only.
package plan
