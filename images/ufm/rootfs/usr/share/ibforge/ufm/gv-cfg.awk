# Prints a gv.cfg with the settings of other files in it:
#
#   awk -f gv-cfg.awk SETTINGS... gv.cfg
#
# SETTINGS have sections as gv.cfg has; a later file goes before an earlier one.
# The section [*] stands for the one in which gv.cfg has the key, exactly once:
# UFM's documents name keys without saying where they stand. A key that is new
# goes to the end of its section. Lines that need no change are left as they
# are. Faults go to standard error, all of them, and make the exit code 1.

function trim(s) { gsub(/^[ \t]+|[ \t\r]+$/, "", s); return s }

function fault(text) { print text | "cat >&2"; faults++ }

function header(line) { line = trim(line); return substr(line, 2, length(line) - 2) }

# read_setting keeps one line of SETTINGS, with its place for messages.
function read_setting(line,   eq, key, value, id) {
	eq = index(line, "=")
	if (!eq || trim(substr(line, 1, eq - 1)) == "") {
		fault(FILENAME ":" FNR ": \"" trim(line) "\" is no setting: write \"key = value\"")
		return
	}
	key = trim(substr(line, 1, eq - 1)); value = trim(substr(line, eq + 1))
	if (section == "") {
		fault(FILENAME ":" FNR ": \"" key "\" stands in no section: write \"[Section]\", or \"[*]\" for the one in which UFM has it, above it")
		return
	}
	if (section == "Server" && key == "rest_port" || section == "*" && key == "rest_port") {
		fault(FILENAME ":" FNR ": rest_port cannot be set here: the image's contract says where UFM listens, and moves the port on the host. Remove the line")
		return
	}
	id = section SUBSEP key
	if ((id SUBSEP FILENAME) in once) {
		fault(FILENAME ":" FNR ": \"" key "\" of [" section "] is set twice, in line " once[id, FILENAME] " too: remove one")
		return
	}
	once[id, FILENAME] = FNR
	if (!(id in wanted)) order[++settings] = id
	wanted[id] = value; place[id] = FILENAME ":" FNR
}

FILENAME != ARGV[ARGC - 1] {
	if (FNR == 1) section = ""
	if ($0 ~ /^[ \t]*([#;]|$)/) next
	if ($0 ~ /^[ \t]*\[.*\][ \t\r]*$/) section = header($0)
	else read_setting($0)
	next
}

FNR == 1 { section = "" }

{ lines[++count] = $0; of[count] = "" }

/^[ \t]*\[.*\][ \t\r]*$/ { section = header($0); known[section] = 1 }

/^[ \t]*[^#;= \t\[][^=]*=/ {
	key = trim(substr($0, 1, index($0, "=") - 1))
	of[count] = section SUBSEP key
	found[section, key]++; times[key]++; where[key] = section
}

# A comment or empty line does not move a section's end.
/[^ \t\r]/ && !/^[ \t]*[#;]/ { last[section] = count }

# settle turns [*] into a section, and judges the others.
function settle(id,   part, target) {
	split(id, part, SUBSEP)
	if (part[1] == "*") {
		if (times[part[2]] != 1) {
			fault(place[id] ": UFM's gv.cfg has \"" part[2] "\" " times[part[2]] + 0 " times, and [*] needs it once: check its name, or name its section")
			return
		}
		target = where[part[2]]
	} else if (!(part[1] in known)) {
		fault(place[id] ": UFM's gv.cfg has no section [" part[1] "]: check its name")
		return
	} else target = part[1]
	if (found[target, part[2]] > 1) {
		fault(place[id] ": UFM's gv.cfg has \"" part[2] "\" of [" target "] " found[target, part[2]] " times: remove all but one there")
		return
	}
	value[target, part[2]] = wanted[id]; set[target, part[2]] = 1
	if (!found[target, part[2]]) added[target] = added[target] part[2] " = " wanted[id] "\n"
}

END {
	for (i = 1; i <= settings; i++) settle(order[i])
	if (faults) exit 1
	for (i = 1; i <= count; i++) {
		if (of[i] != "" && of[i] in set) {
			eq = index(lines[i], "=")
			if (trim(substr(lines[i], eq + 1)) == value[of[i]]) print lines[i]
			else print substr(lines[i], 1, eq) " " value[of[i]]
		} else print lines[i]
		for (section in added) if (last[section] == i) printf "%s", added[section]
	}
}
