// Package deploy runs ibforge's playbooks: it hands an ansible-playbook
// command to go-ansible, turns the event stream of the ansible.posix.jsonl
// callback into compact progress, and ends with a Recap.
//
// It is the only importer of github.com/apenella/go-ansible/v2; only
// builder/cli imports it. What is deployed is none of its business: roles and
// playbooks know that, and the Runtime contract reaches them as extra vars.
//
// The parts, in the order in which a run passes through them:
//
//	options.go    what the caller asks for, and what is refused beforehand
//	workspace.go  a private directory: extra vars, the collection's place
//	settings.go   ANSIBLE_* settings on top of the caller's environment
//	command.go    the argument vector, by go-ansible
//	process.go    the process: its own session, an orderly end on cancel
//	event.go      the callback's lines, decoded
//	follow.go     events, turned into progress and failures
//	progress.go   what the operator sees while it runs
//	recap.go      how it ended
package deploy
