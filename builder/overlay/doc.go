// Package overlay brings the files of ibforge into a Kayobe configuration, keeps
// them up to date, and takes them out again. An operator's edit is never
// overwritten: what to do is decided from what was shipped before, what is
// shipped now, and what is there.
//
// What was shipped before is kept beside the configuration, in the directory
// .ibforge, as a manifest and a copy of each file. It belongs into version
// control: without it an edit cannot be told from an older release.
//
// A configuration has one layer at its root and one in each Kayobe environment
// that has files of ours. The playbooks, the collection and its entry in
// requirements.yml lie at the root whatever the environment, because Kayobe
// shares the directory ansible/ between environments.
package overlay
