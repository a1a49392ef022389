package spec

import "github.com/hashicorp/hcl/v2"

// The structs below are the schema, one per kind of block. Attributes are kept
// unevaluated: gohcl would evaluate them without the reference checks, and
// report a second fault for each value that it cannot convert.

func rootSchema() *hcl.BodySchema {
	return &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "image", LabelNames: []string{"name"}},
		{Type: "locals"},
		{Type: "variable", LabelNames: []string{"name"}},
	}}
}

type variableBody struct {
	Type        *hcl.Attribute   `hcl:"type"`
	Description *hcl.Attribute   `hcl:"description"`
	Default     *hcl.Attribute   `hcl:"default"`
	Sensitive   *hcl.Attribute   `hcl:"sensitive"`
	Validations []validationBody `hcl:"validation,block"`
}

type validationBody struct {
	Condition    *hcl.Attribute `hcl:"condition"`
	ErrorMessage *hcl.Attribute `hcl:"error_message"`
	DefRange     hcl.Range      `hcl:",def_range"`
}

type imageBody struct {
	ForEach      *hcl.Attribute `hcl:"for_each"`
	Description  *hcl.Attribute `hcl:"description"`
	From         *hcl.Attribute `hcl:"from"`
	Digest       *hcl.Attribute `hcl:"digest"`
	Packages     *hcl.Attribute `hcl:"packages"`
	OmitPackages *hcl.Attribute `hcl:"omit_packages"`
	Prune        *hcl.Attribute `hcl:"prune"`
	Rootfs       *hcl.Attribute `hcl:"rootfs"`
	Env          *hcl.Attribute `hcl:"env"`
	Labels       *hcl.Attribute `hcl:"labels"`
	Bootstrap    *bootstrapBody `hcl:"bootstrap,block"`
	Payloads     []payloadBody  `hcl:"payload,block"`
	Units        []unitBody     `hcl:"unit,block"`
	Runs         []runBody      `hcl:"run,block"`
	Runtime      *runtimeBody   `hcl:"runtime,block"`
}

type bootstrapBody struct {
	Distribution string         `hcl:"distribution,label"`
	LabelRange   hcl.Range      `hcl:"distribution,label_range"`
	DefRange     hcl.Range      `hcl:",def_range"`
	Suite        *hcl.Attribute `hcl:"suite"`
	Mirror       *hcl.Attribute `hcl:"mirror"`
	Components   *hcl.Attribute `hcl:"components"`
	Variant      *hcl.Attribute `hcl:"variant"`
	Packages     *hcl.Attribute `hcl:"packages"`
}

type unitBody struct {
	Name       string         `hcl:"name,label"`
	LabelRange hcl.Range      `hcl:"name,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	State      *hcl.Attribute `hcl:"state"`
	Reason     *hcl.Attribute `hcl:"reason"`
}

type payloadBody struct {
	Name       string         `hcl:"name,label"`
	LabelRange hcl.Range      `hcl:"name,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	Source     *hcl.Attribute `hcl:"source"`
	SHA256     *hcl.Attribute `hcl:"sha256"`
	Limit      *hcl.Attribute `hcl:"limit"`
	Unpack     *hcl.Attribute `hcl:"unpack"`
	Strip      *hcl.Attribute `hcl:"strip"`
	Supplier   *hcl.Attribute `hcl:"supplier"`
}

type runBody struct {
	Name       string         `hcl:"name,label"`
	LabelRange hcl.Range      `hcl:"name,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	Command    *hcl.Attribute `hcl:"command"`
	Network    *hcl.Attribute `hcl:"network"`
	Env        *hcl.Attribute `hcl:"env"`
	Payloads   *hcl.Attribute `hcl:"payloads"`
}

type runtimeBody struct {
	DefRange      hcl.Range          `hcl:",def_range"`
	Network       *hcl.Attribute     `hcl:"network"`
	ReadOnly      *hcl.Attribute     `hcl:"read_only"`
	Cgroups       *hcl.Attribute     `hcl:"cgroup_versions"`
	Modules       *hcl.Attribute     `hcl:"modules"`
	Excludes      *hcl.Attribute     `hcl:"excludes"`
	Ports         []portBody         `hcl:"port,block"`
	Volumes       []volumeBody       `hcl:"volume,block"`
	Tmpfs         []tmpfsBody        `hcl:"tmpfs,block"`
	Devices       []deviceBody       `hcl:"device,block"`
	Capabilities  []capabilityBody   `hcl:"capability,block"`
	NewPrivileges *newPrivilegesBody `hcl:"new_privileges,block"`
	Limits        *limitsBody        `hcl:"limits,block"`
	Stop          *stopBody          `hcl:"stop,block"`
	Health        *healthBody        `hcl:"health,block"`
}

type portBody struct {
	Name       string         `hcl:"name,label"`
	LabelRange hcl.Range      `hcl:"name,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	Protocol   *hcl.Attribute `hcl:"protocol"`
	Listens    *hcl.Attribute `hcl:"listens"`
	Host       *hcl.Attribute `hcl:"host"`
	Via        *hcl.Attribute `hcl:"via"`
	Address    *hcl.Attribute `hcl:"address"`
	Unit       *hcl.Attribute `hcl:"unit"`
	Guarded    *hcl.Attribute `hcl:"guarded"`
	Rewrites   []rewriteBody  `hcl:"rewrite,block"`
}

type rewriteBody struct {
	Path       string         `hcl:"path,label"`
	LabelRange hcl.Range      `hcl:"path,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	Match      *hcl.Attribute `hcl:"match"`
	Count      *hcl.Attribute `hcl:"count"`
}

type volumeBody struct {
	Name       string         `hcl:"name,label"`
	LabelRange hcl.Range      `hcl:"name,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	Path       *hcl.Attribute `hcl:"path"`
	Host       *hcl.Attribute `hcl:"host"`
	ReadOnly   *hcl.Attribute `hcl:"read_only"`
}

type tmpfsBody struct {
	Path       string         `hcl:"path,label"`
	LabelRange hcl.Range      `hcl:"path,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	Options    *hcl.Attribute `hcl:"options"`
}

type deviceBody struct {
	Path        string         `hcl:"path,label"`
	LabelRange  hcl.Range      `hcl:"path,label_range"`
	DefRange    hcl.Range      `hcl:",def_range"`
	Permissions *hcl.Attribute `hcl:"permissions"`
}

type capabilityBody struct {
	Name       string         `hcl:"name,label"`
	LabelRange hcl.Range      `hcl:"name,label_range"`
	DefRange   hcl.Range      `hcl:",def_range"`
	Reason     *hcl.Attribute `hcl:"reason"`
}

type newPrivilegesBody struct {
	DefRange hcl.Range      `hcl:",def_range"`
	Reason   *hcl.Attribute `hcl:"reason"`
}

type limitsBody struct {
	Memory *hcl.Attribute `hcl:"memory"`
	Pids   *hcl.Attribute `hcl:"pids"`
	Nofile *hcl.Attribute `hcl:"nofile"`
}

type stopBody struct {
	Signal  *hcl.Attribute `hcl:"signal"`
	Timeout *hcl.Attribute `hcl:"timeout"`
}

type healthBody struct {
	DefRange    hcl.Range      `hcl:",def_range"`
	Command     *hcl.Attribute `hcl:"command"`
	Interval    *hcl.Attribute `hcl:"interval"`
	Timeout     *hcl.Attribute `hcl:"timeout"`
	StartPeriod *hcl.Attribute `hcl:"start_period"`
	Retries     *hcl.Attribute `hcl:"retries"`
}
