package lab_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// hostPlay copies, fetches, calls a module and a module of an engine.
const hostPlay = `
- hosts: all
  gather_facts: true
  tasks:
    - ansible.builtin.copy: {content: "{{ ansible_facts.hostname }} {{ ansible_facts.service_mgr }}", dest: /etc/told, mode: "0644"}
    - ansible.builtin.fetch: {src: /etc/told, dest: "{{ playbook_dir }}/told", flat: true}
    - ansible.builtin.copy: {src: big, dest: /root/big, mode: "0644"}
    - ansible.builtin.command: {cmd: "sh -c 'exit 3'"}
      register: failed
      failed_when: failed.rc != 3
    - community.docker.docker_host_info:
    - containers.podman.podman_container_info:
    - ansible.builtin.systemd_service: {name: docker, state: started}
      register: docker
      failed_when: docker is changed
`

// Ansible takes a host for a machine that it reaches by ssh.
func TestHostAnsible(t *testing.T) {
	playbook, err := filepath.Abs("../../.cache/venv/bin/ansible-playbook")
	if err != nil {
		t.Fatal(err)
	}
	labtest.Need(t, lab.Tool{Name: playbook, Package: "(tests/tools/setup.sh python)"})
	h := labtest.Host(t, lab.HostOptions{CgroupV2: true, Name: "ctl0"})
	dir := labtest.Dir(t)
	inventory, err := json.Marshal(map[string]any{"all": map[string]any{"hosts": map[string]any{h.Name(): h.Variables()}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"play.yml": hostPlay, "inventory.json": string(inventory), "big": strings.Repeat("big\n", 1<<20),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), playbook, "-i", "inventory.json", "play.yml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	told, err := os.ReadFile(filepath.Join(dir, "told"))
	if err != nil || string(told) != "ctl0 systemd" {
		t.Errorf("the host told %q, %v", told, err)
	}
	if got := in(t, h, "stat -c %s /root/big"); got != "4194304" {
		t.Errorf("%s bytes arrived", got)
	}
}
