package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"path"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of the language for a file in dir. They are pure: the
// same project gives the same values, so there is no clock and no random.
func functions(fsys fs.FS, dir string) map[string]function.Function {
	all := map[string]function.Function{
		"can": tryfunc.CanFunc,
		"try": tryfunc.TryFunc,

		"tobool":   stdlib.MakeToFunc(cty.Bool),
		"tolist":   stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap":    stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
		"tonumber": stdlib.MakeToFunc(cty.Number),
		"toset":    stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tostring": stdlib.MakeToFunc(cty.String),

		"jsondecode": stdlib.JSONDecodeFunc,
		"jsonencode": stdlib.JSONEncodeFunc,

		"file":       fileFunction(fsys, dir),
		"fileexists": fileExistsFunction(fsys, dir),
		"filesha256": fileSHA256Function(fsys, dir),
	}
	maps.Copy(all, textFunctions())
	maps.Copy(all, collectionFunctions())
	maps.Copy(all, numberFunctions())
	return all
}

func textFunctions() map[string]function.Function {
	return map[string]function.Function{
		"chomp":         stdlib.ChompFunc,
		"format":        stdlib.FormatFunc,
		"formatlist":    stdlib.FormatListFunc,
		"indent":        stdlib.IndentFunc,
		"join":          stdlib.JoinFunc,
		"lower":         stdlib.LowerFunc,
		"regex":         stdlib.RegexFunc,
		"regex_replace": stdlib.RegexReplaceFunc,
		"regexall":      stdlib.RegexAllFunc,
		"replace":       stdlib.ReplaceFunc,
		"split":         stdlib.SplitFunc,
		"strlen":        stdlib.StrlenFunc,
		"substr":        stdlib.SubstrFunc,
		"title":         stdlib.TitleFunc,
		"trim":          stdlib.TrimFunc,
		"trimprefix":    stdlib.TrimPrefixFunc,
		"trimspace":     stdlib.TrimSpaceFunc,
		"trimsuffix":    stdlib.TrimSuffixFunc,
		"upper":         stdlib.UpperFunc,
	}
}

func collectionFunctions() map[string]function.Function {
	return map[string]function.Function{
		"coalesce":        stdlib.CoalesceFunc,
		"coalescelist":    stdlib.CoalesceListFunc,
		"compact":         stdlib.CompactFunc,
		"concat":          stdlib.ConcatFunc,
		"contains":        stdlib.ContainsFunc,
		"distinct":        stdlib.DistinctFunc,
		"element":         stdlib.ElementFunc,
		"flatten":         stdlib.FlattenFunc,
		"keys":            stdlib.KeysFunc,
		"length":          stdlib.LengthFunc,
		"lookup":          stdlib.LookupFunc,
		"merge":           stdlib.MergeFunc,
		"range":           stdlib.RangeFunc,
		"reverse":         stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc,
		"setproduct":      stdlib.SetProductFunc,
		"setsubtract":     stdlib.SetSubtractFunc,
		"setunion":        stdlib.SetUnionFunc,
		"slice":           stdlib.SliceFunc,
		"sort":            stdlib.SortFunc,
		"values":          stdlib.ValuesFunc,
		"zipmap":          stdlib.ZipmapFunc,
	}
}

func numberFunctions() map[string]function.Function {
	return map[string]function.Function{
		"abs":      stdlib.AbsoluteFunc,
		"ceil":     stdlib.CeilFunc,
		"floor":    stdlib.FloorFunc,
		"max":      stdlib.MaxFunc,
		"min":      stdlib.MinFunc,
		"parseint": stdlib.ParseIntFunc,
	}
}

// pathFunction makes a function of one path, which may not leave the project.
func pathFunction(dir string, result cty.Type, impl func(name string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(result),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			given := args[0].AsString()
			name := path.Join(dir, given)
			if given == "" || path.IsAbs(given) || !fs.ValidPath(name) {
				return cty.UnknownVal(result), function.NewArgErrorf(0, "%q leaves the project directory; paths are relative to the directory of the describing file, %q", given, dir)
			}
			v, err := impl(name)
			if err != nil {
				return cty.UnknownVal(result), function.NewArgErrorf(0, "%q (%s in the project): %s", given, name, plainError(err))
			}
			return v, nil
		},
	})
}

func fileFunction(fsys fs.FS, dir string) function.Function {
	return pathFunction(dir, cty.String, func(name string) (cty.Value, error) {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return cty.NilVal, err
		}
		if !utf8.Valid(b) {
			return cty.NilVal, errors.New("is no UTF-8 text; ship binary files in rootfs")
		}
		return cty.StringVal(string(b)), nil
	})
}

func fileSHA256Function(fsys fs.FS, dir string) function.Function {
	return pathFunction(dir, cty.String, func(name string) (cty.Value, error) {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return cty.NilVal, err
		}
		sum := sha256.Sum256(b)
		return cty.StringVal(hex.EncodeToString(sum[:])), nil
	})
}

func fileExistsFunction(fsys fs.FS, dir string) function.Function {
	return pathFunction(dir, cty.Bool, func(name string) (cty.Value, error) {
		info, err := fs.Stat(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			return cty.False, nil
		}
		if err != nil {
			return cty.NilVal, err
		}
		return cty.BoolVal(info.Mode().IsRegular()), nil
	})
}
