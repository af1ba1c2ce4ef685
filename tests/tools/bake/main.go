// Command bake prints what buildx makes of a folder's Bake files: every target with its variables put in.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/docker/buildx/bake"
)

func run(paths []string) (map[string]*bake.Target, error) {
	var files []bake.File
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, bake.File{Name: path, Data: data})
	}
	names, err := bake.ListTargets(files)
	if err != nil {
		return nil, err
	}
	targets, _, err := bake.ReadTargets(context.Background(), files, names, nil, nil, &bake.EntitlementConf{})
	return targets, err
}

func main() {
	targets, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(targets)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
