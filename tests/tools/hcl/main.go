// Command hcl reads the Terraform files of one module with HashiCorp's own parser and evaluates them with its own
// evaluator. It prints every attribute under the path of its blocks, as far as it is known: variables by their defaults,
// files of values and TF_VAR_...; secrets of data sources from a file of names and values. Other references stand for
// themselves.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

var functions = map[string]function.Function{
	"concat": stdlib.ConcatFunc, "format": stdlib.FormatFunc, "join": stdlib.JoinFunc,
	"jsonencode": stdlib.JSONEncodeFunc, "lower": stdlib.LowerFunc, "merge": stdlib.MergeFunc, "upper": stdlib.UpperFunc,
}

// attribute is one expression of the module; a literal one takes no references.
type attribute struct {
	path       string
	expression hcl.Expression
	text       string
	literal    bool
}

// module is what the files of one folder say.
type module struct {
	attributes []attribute
	variables  map[string]cty.Value
	declared   map[string]bool
	secrets    map[string]map[string]cty.Value
}

func (m *module) read(path string) hcl.Diagnostics {
	parser := hclparse.NewParser()
	values := strings.HasSuffix(path, ".tfvars") || strings.HasSuffix(path, ".tfvars.json")
	var file *hcl.File
	var problems hcl.Diagnostics
	if strings.HasSuffix(path, ".json") {
		file, problems = parser.ParseJSONFile(path)
	} else {
		file, problems = parser.ParseHCLFile(path)
	}
	if problems.HasErrors() {
		return problems
	}
	prefix := ""
	if values {
		prefix = filepath.Base(path) + ":"
	}
	if body, native := file.Body.(*hclsyntax.Body); native {
		m.walk(body, prefix, file.Bytes, values)
		return nil
	}
	found, problems := file.Body.JustAttributes()
	for name, one := range found {
		text := string(one.Expr.Range().SliceBytes(file.Bytes))
		m.add(attribute{prefix + name, one.Expr, text, values || name == "variable"})
	}
	return problems
}

func (m *module) walk(body *hclsyntax.Body, prefix string, text []byte, literal bool) {
	for name, one := range body.Attributes {
		m.add(attribute{prefix + name, one.Expr, string(one.Expr.Range().SliceBytes(text)), literal})
	}
	seen := map[string]int{}
	for _, block := range body.Blocks {
		name := strings.Join(append([]string{block.Type}, block.Labels...), ".")
		place := fmt.Sprintf("%s%s[%d].", prefix, name, seen[name])
		seen[name]++
		m.walk(block.Body, place, text, block.Type == "variable")
	}
}

func (m *module) add(one attribute) {
	m.attributes = append(m.attributes, one)
}

// learn sets what references can be resolved to, in Terraform's order: defaults, the environment, files of values.
func (m *module) learn(vault map[string]string) {
	m.variables, m.declared, m.secrets = map[string]cty.Value{}, map[string]bool{}, map[string]map[string]cty.Value{}
	sort.Slice(m.attributes, func(i, j int) bool { return m.attributes[i].path < m.attributes[j].path })
	for _, one := range m.attributes {
		for path, value := range flat(one.path, m.value(one)) {
			parts := strings.Split(strings.ReplaceAll(path, "[0]", ""), ".")
			if len(parts) == 3 && parts[0] == "variable" && parts[2] == "default" {
				m.variables[parts[1]] = value
			}
			if len(parts) == 4 && parts[1] == "azurerm_key_vault_secret" && parts[3] == "name" && known(value) {
				if m.secrets[parts[0]] == nil {
					m.secrets[parts[0]] = map[string]cty.Value{}
				}
				name := value.AsString()
				m.secrets[parts[0]][parts[2]] = cty.ObjectVal(map[string]cty.Value{
					"name": value, "value": cty.StringVal(vault[name]),
					"id":             cty.StringVal("https://shop.vault.azure.net/secrets/" + name + "/v"),
					"versionless_id": cty.StringVal("https://shop.vault.azure.net/secrets/" + name),
				})
			}
		}
	}
	for _, entry := range os.Environ() {
		if name, value, found := strings.Cut(strings.TrimPrefix(entry, "TF_VAR_"), "="); found && strings.HasPrefix(entry, "TF_VAR_") {
			m.variables[name] = cty.StringVal(value)
		}
	}
	for _, one := range m.attributes {
		file, name, values := strings.Cut(one.path, ":")
		if values && (strings.HasPrefix(file, "terraform.tfvars") || strings.Contains(file, ".auto.tfvars")) {
			m.variables[name] = m.value(one)
		}
	}
}

func known(value cty.Value) bool {
	return value.IsWhollyKnown() && !value.IsNull() && value.Type() == cty.String
}

// value is what the expression comes to; cty.NilVal when its parser cannot tell.
func (m *module) value(one attribute) cty.Value {
	if one.literal {
		value, problems := one.expression.Value(nil)
		if problems.HasErrors() {
			return cty.NilVal
		}
		return value
	}
	// What is not known may be wanted as a text or, say by merge, as an object.
	for _, text := range []bool{true, false} {
		roots := map[string]any{}
		for _, traversal := range one.expression.Variables() {
			m.place(roots, traversal, text)
		}
		context := &hcl.EvalContext{Functions: functions, Variables: map[string]cty.Value{}}
		for name, node := range roots {
			context.Variables[name] = shape(node)
		}
		if value, problems := one.expression.Value(context); !problems.HasErrors() {
			return value
		}
	}
	return cty.NilVal
}

// place enters a reference into a tree of names: its value if it is known, else the reference's own text or nothing.
func (m *module) place(roots map[string]any, traversal hcl.Traversal, text bool) {
	names := []string{}
	for _, step := range traversal {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			names = append(names, step.Name)
		case hcl.TraverseAttr:
			names = append(names, step.Name)
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String {
				names = append(names, step.Key.AsString())
			} else if number, err := convert.Convert(step.Key, cty.String); err == nil {
				names = append(names, "#"+number.AsString())
			}
		}
	}
	leaf := cty.EmptyObjectVal
	if text {
		leaf = cty.StringVal("<" + strings.Join(names, ".") + ">")
	}
	if len(names) >= 2 && names[0] == "var" {
		if value, found := m.variables[names[1]]; found && value != cty.NilVal {
			names, leaf = names[:2], value
		}
	}
	if len(names) >= 3 && names[1] == "azurerm_key_vault_secret" {
		if secret, found := m.secrets[names[0]][names[2]]; found {
			names, leaf = names[:3], secret
		}
	}
	node := roots
	for _, name := range names[:len(names)-1] {
		next, tree := node[name].(map[string]any)
		if !tree {
			next = map[string]any{}
			node[name] = next
		}
		node = next
	}
	if _, there := node[names[len(names)-1]]; !there {
		node[names[len(names)-1]] = leaf
	}
}

func shape(node any) cty.Value {
	tree, inner := node.(map[string]any)
	if !inner {
		return node.(cty.Value)
	}
	fields := map[string]cty.Value{}
	longest := -1
	for name, child := range tree {
		if number, err := strconv.Atoi(strings.TrimPrefix(name, "#")); err == nil && strings.HasPrefix(name, "#") && number < 100 {
			longest = max(longest, number)
		}
		fields[name] = shape(child)
	}
	if longest < 0 {
		return cty.ObjectVal(fields)
	}
	items := []cty.Value{}
	for index := range longest + 1 {
		item, found := fields["#"+strconv.Itoa(index)]
		if !found {
			item = cty.DynamicVal
		}
		items = append(items, item)
	}
	return cty.TupleVal(items)
}

// flat gives the scalars of a value by path. What is not known has no type.
func flat(path string, value cty.Value) map[string]cty.Value {
	result := map[string]cty.Value{}
	if value == cty.NilVal || !value.IsKnown() || value.IsNull() || !value.CanIterateElements() {
		result[path] = value
		return result
	}
	for each := value.ElementIterator(); each.Next(); {
		key, item := each.Element()
		name, err := convert.Convert(key, cty.String)
		if err != nil {
			continue
		}
		for inner, scalar := range flat(path+"."+name.AsString(), item) {
			result[inner] = scalar
		}
	}
	return result
}

func main() {
	vault := flag.String("vault", "", "file of the vault's secrets: JSON, name to value")
	flag.Parse()
	secrets := map[string]string{}
	if *vault != "" {
		data, err := os.ReadFile(*vault)
		if err == nil {
			err = json.Unmarshal(data, &secrets)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	var read module
	for _, path := range flag.Args() {
		if problems := read.read(path); problems.HasErrors() {
			fmt.Fprintln(os.Stderr, problems.Error())
			os.Exit(1)
		}
	}
	read.learn(secrets)
	result := map[string]string{}
	unknown := map[string]string{}
	for _, one := range read.attributes {
		for path, scalar := range flat(one.path, read.value(one)) {
			if scalar == cty.NilVal || !scalar.IsKnown() {
				unknown[path] = one.text
			} else if text, err := convert.Convert(scalar, cty.String); err == nil && !text.IsNull() {
				result[path] = text.AsString()
			} else {
				result[path] = ""
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"known": result, "unknown": unknown}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
