package kayobe

// install brings the overlay into the configuration, and the collection out of
// the program.
func (d *deployment) install(features ...string) {
	d.t.Helper()
	args := []string{"kayobe", "install", "--config-path", d.config, "--collection"}
	for _, f := range features {
		args = append(args, "--feature", f)
	}
	ibforge(d.t, args...)
}
