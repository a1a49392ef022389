// Package spec is the language of ibforge: it reads the descriptions written
// in HCL, evaluates them, and gives them out as a valid [Project].
//
// [Load] is the one way in. It works in this order, and stops after a step
// whose faults would make the next ones lie:
//
//	files      read and parsed, native syntax or JSON, in one name space
//	variables  default < environment < var files < --var; converted, validated
//	locals     in any order, cycles reported
//	images     for_each and dynamic blocks expanded, decoded, each rule checked
//	graph      from resolved, cycles reported, ordered parents first
//
// Faults of the descriptions are [hcl.Diagnostics] and never errors: Summary
// is the rule, Detail the value and the cure, Subject the narrowest source
// range. All are collected, in the order of the source. A value that could not
// be had because of a fault is unknown to cty, and what depends on it is left
// out in silence: the cause was reported already.
//
// The package is pure. Files come through an [fs.FS], environment and command
// line through [Options]; there is no clock, network or process in here. That
// is why durations are parsed by hand. Whatever needs the built image, such as
// whether a package brings a unit, is left to the engine.
//
// Everything that may know about images may import spec (plan, cli); spec
// itself imports nothing of ibforge. Do not use it to read site data or roles.
package spec
