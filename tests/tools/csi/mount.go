// Command mount asks a provider of the Secrets Store CSI driver, on its socket, for what the driver would put into a volume.
// Standard input has the attributes and secrets; standard output gets the files. It is built within the provider's module.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"
)

type request struct {
	Attributes map[string]string `json:"attributes"`
	Secrets    map[string]string `json:"secrets"`
}

func mount(socket string, wanted request) (map[string][]byte, error) {
	attributes, err := json.Marshal(wanted.Attributes)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(wanted.Secrets)
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := v1alpha1.NewCSIDriverProviderClient(connection).Mount(ctx, &v1alpha1.MountRequest{
		Attributes: string(attributes), Secrets: string(secrets), TargetPath: "/volume", Permission: "420",
	}, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	if answer.GetError() != nil && answer.GetError().GetCode() != "" {
		return nil, fmt.Errorf("the provider says %s", answer.GetError().GetCode())
	}
	files := map[string][]byte{}
	for _, file := range answer.GetFiles() {
		files[file.GetPath()] = file.GetContents()
	}
	return files, nil
}

func main() {
	var wanted request
	err := json.NewDecoder(os.Stdin).Decode(&wanted)
	if err == nil {
		var files map[string][]byte
		if files, err = mount(os.Args[1], wanted); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(files)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
