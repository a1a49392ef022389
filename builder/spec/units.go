package spec

import (
	"slices"
	"strings"

	"github.com/ibforge/ibforge/builder/suggest"
)

// units decodes the unit blocks.
func (d *imageDecoder) units(bodies []unitBody, image *Image) []Unit {
	var out []Unit
	names := uniqueNames{decoder: &d.decoder, kind: "unit"}
	for i := range bodies {
		b := &bodies[i]
		valid := d.unitName(text{value: b.Name, rng: b.LabelRange, ok: true})
		names.add(b.Name, b.LabelRange)
		states := []string{string(UnitEnabled), string(UnitDisabled), string(UnitMasked)}
		state := d.required(b.State, "state", b.DefRange, "It is one of "+listed(states)+".")
		unit := Unit{Name: b.Name, State: UnitState(d.oneOf(state, "unit state", states)), DefRange: b.DefRange}
		if unit.State == UnitMasked || unit.State == UnitDisabled {
			unit.Reason = d.required(b.Reason, "reason", b.DefRange, "Say why "+b.Name+" may not start by itself; the next reader will want it back otherwise.").value
		} else {
			unit.Reason = d.text(b.Reason, "").value
		}
		if valid && unit.State == UnitEnabled && image.RootfsFS != nil && !installable(image.RootfsFS, b.Name) {
			d.errorAt(&b.LabelRange, "Unit cannot be enabled", "%q is shipped in %q without an [Install] section, so \"systemctl enable\" would do nothing. Add the section, with WantedBy=multi-user.target for most services, or remove the block if another unit starts it.", b.Name, image.Rootfs)
		}
		out = append(out, unit)
	}
	return out
}

// unitName judges a name by the grammar of systemd.unit(5).
func (d *imageDecoder) unitName(t text) bool {
	m := unitName.FindStringSubmatch(t.value)
	if m != nil && len(t.value) <= 255 && slices.Contains(unitSuffixes(), m[2]) {
		return true
	}
	i := strings.LastIndex(t.value, ".")
	if i < 0 || !slices.Contains(unitSuffixes(), t.value[i+1:]) {
		hint := ""
		if i >= 0 {
			if suffix := suggest.Nearest(t.value[i+1:], unitSuffixes()); suffix != "" {
				hint = suggest.DidYouMean(t.value, []string{t.value[:i+1] + suffix})
			}
		}
		d.errorAt(&t.rng, "Invalid unit name", "%q does not end in the type of a unit: one of %s, after a \".\".%s", t.value, listed(unitSuffixes()), hint)
		return false
	}
	d.errorAt(&t.rng, "Invalid unit name", "%q is no name of a unit: at most 255 letters, digits, \":\", \"-\", \"_\", \".\" and \"\\\", with at most one \"@\" before the instance (systemd.unit(5)).", t.value)
	return false
}
