package deploy

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	compose "github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

func project(t *testing.T) *compose.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "compose.yaml")}, cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	// Loading validates against the schema of Compose, which refuses unknown fields.
	loaded, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Services) != 4 {
		t.Fatalf("%d services", len(loaded.Services))
	}
	return loaded
}

func TestComposePinsImagesAndOpensPortsToThisMachineAlone(t *testing.T) {
	ports := 0
	for name, service := range project(t).Services {
		if service.Build == nil && (!strings.Contains(service.Image, ":") || strings.HasSuffix(service.Image, ":latest")) {
			t.Errorf("%s: %s is not pinned", name, service.Image)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is bound to %q", name, port.Published, port.HostIP)
			}
			ports++
		}
		for other, depends := range service.DependsOn {
			if depends.Condition != compose.ServiceConditionHealthy {
				t.Errorf("%s does not wait until %s is healthy", name, other)
			}
		}
	}
	if ports == 0 {
		t.Error("no port is open")
	}
}

func TestComposeServicesThatOthersWaitForHaveAHealthCheck(t *testing.T) {
	loaded := project(t)
	waited := 0
	for _, service := range loaded.Services {
		for other := range service.DependsOn {
			if loaded.Services[other].HealthCheck == nil {
				t.Errorf("%s has no health check", other)
			}
			waited++
		}
	}
	if waited == 0 {
		t.Error("nothing waits")
	}
}

func TestEveryFileThatComposeReadsExists(t *testing.T) {
	for name, service := range project(t).Services {
		var files []string
		if service.Build != nil {
			files = append(files, filepath.Join(service.Build.Context, service.Build.Dockerfile))
		}
		for _, volume := range service.Volumes {
			if volume.Type == compose.VolumeTypeBind {
				files = append(files, volume.Source)
			}
		}
		for _, file := range files {
			t.Run(name+"/"+filepath.Base(file), func(t *testing.T) {
				if _, err := os.Stat(file); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestTheCollectorHasTheVariablesThatItsConfigurationReads(t *testing.T) {
	service := project(t).Services["collector"]
	text := string(read(t, "collector/gateway.yaml"))
	for name := range service.Environment {
		if name != "GOMEMLIMIT" && !strings.Contains(text, "${env:"+name) {
			t.Errorf("%s is set, and not read", name)
		}
	}
}

func TestGrafanaFindsTheDashboardsWhereTheyAreMounted(t *testing.T) {
	var provisioned struct {
		Providers []struct{ Options struct{ Path string } }
	}
	files, err := filepath.Glob(filepath.Join(root, "grafana/provisioning/dashboards/*.yaml"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &provisioned); err != nil || len(provisioned.Providers) == 0 {
		t.Fatal("no provider", err)
	}
	var mounted []string
	for _, volume := range project(t).Services["grafana"].Volumes {
		mounted = append(mounted, volume.Target)
	}
	for _, provider := range provisioned.Providers {
		if !slices.Contains(mounted, provider.Options.Path) {
			t.Errorf("nothing is mounted at %s", provider.Options.Path)
		}
	}
}
