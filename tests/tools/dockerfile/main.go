// Command dockerfile prints what BuildKit makes of a Dockerfile, for every stage that can be a target: the environment, commands
// and labels of the image, and each command that the build runs with its environment and its secrets.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
)

// base answers for every image that a stage is built from.
const base = `{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/bin:/usr/bin:/bin"]},` +
	`"rootfs":{"type":"layers"}}`

type resolver struct{}

func (resolver) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, digest.FromString(ref), []byte(base), nil
}

type secret struct {
	ID       string `json:"id"`
	Env      string `json:"env"`
	File     string `json:"file"`
	Required bool   `json:"required"`
}

type run struct {
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Secrets []secret `json:"secrets"`
}

type stage struct {
	Name   string `json:"name"`
	Config any    `json:"config"`
	Runs   []run  `json:"runs"`
}

func stages(data []byte) ([]stage, error) {
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	found, _, err := instructions.Parse(parsed.AST, &linter.Linter{})
	if err != nil {
		return nil, err
	}
	var result []stage
	for index, one := range found {
		if one.Name == "" && index < len(found)-1 {
			continue // Only a name can be a target. What it runs is in the stages that are built on it.
		}
		made, err := build(data, one.Name)
		if err != nil {
			return nil, fmt.Errorf("stage %d: %w", index, err)
		}
		made.Name = strconv.Itoa(index)
		result = append(result, made)
	}
	return result, nil
}

func build(data []byte, target string) (stage, error) {
	ctx := context.Background()
	local := llb.Local("context")
	state, image, _, _, err := dockerfile2llb.Dockerfile2LLB(ctx, data, dockerfile2llb.ConvertOpt{
		Config:       dockerui.Config{Target: target},
		MainContext:  &local,
		MetaResolver: resolver{},
	})
	if err != nil {
		return stage{}, err
	}
	definition, err := state.Marshal(ctx, llb.LinuxAmd64)
	if err != nil {
		return stage{}, err
	}
	result := stage{Config: image.Config, Runs: []run{}}
	for _, raw := range definition.Def {
		var op pb.Op
		if err := op.UnmarshalVT(raw); err != nil {
			return stage{}, err
		}
		if exec := op.GetExec(); exec != nil {
			result.Runs = append(result.Runs, command(exec))
		}
	}
	return result, nil
}

func command(exec *pb.ExecOp) run {
	one := run{Args: exec.Meta.Args, Env: exec.Meta.Env, Secrets: []secret{}}
	sort.Strings(one.Env)
	for _, env := range exec.Secretenv {
		one.Secrets = append(one.Secrets, secret{ID: env.ID, Env: env.Name, Required: !env.Optional})
	}
	for _, mount := range exec.Mounts {
		if option := mount.SecretOpt; option != nil {
			one.Secrets = append(one.Secrets, secret{ID: option.ID, File: mount.Dest, Required: !option.Optional})
		}
	}
	return one
}

func main() {
	result := map[string]any{}
	for _, path := range os.Args[1:] {
		data, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		made, err := stages(data)
		if err != nil {
			result[path] = map[string]string{"error": err.Error()}
		} else {
			result[path] = map[string]any{"stages": made}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
