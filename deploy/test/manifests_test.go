// Package deploy holds the manifests of deploy against the types that read them.
package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	otel "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const root = ".."

// kinds are the types of all documents; another kind is an error.
var kinds = map[string]func() any{
	"v1/Namespace":                       func() any { return new(core.Namespace) },
	"v1/Service":                         func() any { return new(core.Service) },
	"v1/ConfigMap":                       func() any { return new(core.ConfigMap) },
	"apps/v1/DaemonSet":                  func() any { return new(apps.DaemonSet) },
	"apps/v1/Deployment":                 func() any { return new(apps.Deployment) },
	"apps/v1/StatefulSet":                func() any { return new(apps.StatefulSet) },
	"policy/v1/PodDisruptionBudget":      func() any { return new(policy.PodDisruptionBudget) },
	"networking.k8s.io/v1/NetworkPolicy": func() any { return new(networking.NetworkPolicy) },
	"opentelemetry.io/v1beta1/OpenTelemetryCollector": func() any { return new(otel.OpenTelemetryCollector) },
	"kustomize.config.k8s.io/v1beta1/Kustomization":   func() any { return new(kustomize.Kustomization) },
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// decode decodes every document strictly: a field that the type does not have is an error, and so is one given twice.
func decode(t *testing.T, name string, text []byte) []any {
	t.Helper()
	var objects []any
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		object, known := kinds[kind.APIVersion+"/"+kind.Kind]
		if !known {
			t.Fatalf("%s: no type for %s %s", name, kind.APIVersion, kind.Kind)
		}
		decoded := object()
		if err := yaml.UnmarshalStrict(document, decoded); err != nil {
			t.Fatalf("%s: %s: %v", name, kind.Kind, err)
		}
		objects = append(objects, decoded)
	}
	if len(objects) == 0 {
		t.Fatalf("%s holds no document", name)
	}
	return objects
}

func manifests(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"kustomization.yaml", "kubernetes/*/*.yaml"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, names...)
	}
	if len(found) < 10 {
		t.Fatalf("only %d manifests were found", len(found))
	}
	for index, name := range found {
		found[index], _ = filepath.Rel(root, name)
	}
	return found
}

func TestEveryDocumentIsOfItsType(t *testing.T) {
	for _, name := range manifests(t) {
		decode(t, name, read(t, name))
	}
}

// build is what kustomize makes of a directory.
func build(t *testing.T, directory string) []any {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), filepath.Join(root, directory))
	if err != nil {
		t.Fatalf("%s: %v", directory, err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, directory, text)
}

func TestEveryKustomizationBuilds(t *testing.T) {
	read(t, "collector/agent.yaml")
	read(t, "collector/gateway.yaml")
	for _, directory := range []string{".", "kubernetes/operator", "kubernetes/service"} {
		build(t, directory)
	}
}

func pods(objects []any) map[string]core.PodSpec {
	found := map[string]core.PodSpec{}
	for _, object := range objects {
		switch object := object.(type) {
		case *apps.DaemonSet:
			found[object.Name] = object.Spec.Template.Spec
		case *apps.Deployment:
			found[object.Name] = object.Spec.Template.Spec
		case *apps.StatefulSet:
			found[object.Name] = object.Spec.Template.Spec
		}
	}
	return found
}

func TestEveryConfigMapThatIsReferredToExists(t *testing.T) {
	read(t, "collector/agent.yaml")
	objects := build(t, ".")
	maps := map[string]*core.ConfigMap{}
	for _, object := range objects {
		if found, is := object.(*core.ConfigMap); is {
			maps[found.Name] = found
		}
	}
	found := 0
	for name, pod := range pods(objects) {
		for _, volume := range pod.Volumes {
			if volume.ConfigMap == nil {
				continue
			}
			held, exists := maps[volume.ConfigMap.Name]
			if !exists {
				t.Errorf("%s refers to the config map %s", name, volume.ConfigMap.Name)
				continue
			}
			// The argument names a file of the map.
			file := filepath.Base(pod.Containers[0].Args[1])
			if _, exists := held.Data[file]; !exists {
				t.Errorf("%s reads %s, which %s does not hold", name, file, held.Name)
			}
			if !bytes.Equal([]byte(held.Data[file]), read(t, "collector/"+file)) {
				t.Errorf("%s is not deploy/collector/%s", held.Name, file)
			}
			found++
		}
		for _, from := range pod.Containers[0].EnvFrom {
			if _, exists := maps[from.ConfigMapRef.Name]; !exists {
				t.Errorf("%s refers to the config map %s", name, from.ConfigMapRef.Name)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d configurations were looked at", found)
	}
}

func TestEverySelectorFindsPodsAndEveryPortExists(t *testing.T) {
	objects := decode(t, "plain", bytes.Join([][]byte{
		read(t, "kubernetes/plain/agent.yaml"), read(t, "kubernetes/plain/gateway.yaml"),
		read(t, "kubernetes/plain/networkpolicy.yaml"),
	}, []byte("\n---\n")))
	all := pods(objects)
	ports := func(selector map[string]string) []string {
		var names []string
		for _, port := range all[selector["app.kubernetes.io/name"]].Containers[0].Ports {
			names = append(names, port.Name)
		}
		return names
	}
	for _, object := range objects {
		switch object := object.(type) {
		case *core.Service:
			for _, port := range object.Spec.Ports {
				if !slices.Contains(ports(object.Spec.Selector), port.TargetPort.StrVal) {
					t.Errorf("service %s: no port %s", object.Name, port.TargetPort.StrVal)
				}
			}
		case *policy.PodDisruptionBudget:
			ports(object.Spec.Selector.MatchLabels)
		case *networking.NetworkPolicy:
			for _, rule := range object.Spec.Ingress {
				for _, port := range rule.Ports {
					if !slices.Contains(ports(object.Spec.PodSelector.MatchLabels), port.Port.StrVal) {
						t.Errorf("policy %s: no port %s", object.Name, port.Port.StrVal)
					}
				}
			}
		}
	}
}

func TestEveryContainerHasResourcesAndCollectorsHaveProbes(t *testing.T) {
	for _, directory := range []string{"plain", "service"} {
		names, _ := filepath.Glob(filepath.Join(root, "kubernetes", directory, "*.yaml"))
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for pod, spec := range pods(decode(t, name, text)) {
				container := spec.Containers[0]
				if container.Resources.Requests.Cpu().IsZero() || container.Resources.Limits.Memory().IsZero() {
					t.Errorf("%s has no resources", pod)
				}
				if directory == "plain" && (container.ReadinessProbe == nil || container.LivenessProbe == nil || container.StartupProbe == nil) {
					t.Errorf("%s lacks a probe", pod)
				}
			}
		}
	}
}

var reference = regexp.MustCompile(`\$\(([A-Z_]+)\)`)

func TestTheServiceAlwaysHasAnInstanceOfPodAndContainer(t *testing.T) {
	found := pods(decode(t, "service", read(t, "kubernetes/service/deployment.yaml")))["quickstart"].Containers[0]
	defined := map[string]string{}
	for _, variable := range found.Env {
		// Kubernetes resolves a reference only to a variable that stands above, and leaves any other as it is.
		for _, match := range reference.FindAllStringSubmatch(variable.Value, -1) {
			if _, is := defined[match[1]]; !is {
				t.Errorf("%s refers to %s, which is not defined above it", variable.Name, match[1])
			}
		}
		defined[variable.Name] = variable.Value
		if variable.ValueFrom != nil {
			defined[variable.Name] = variable.ValueFrom.FieldRef.FieldPath
		}
	}
	if defined["POD_UID"] != "metadata.uid" {
		t.Error("POD_UID is not the pod's")
	}
	attributes := strings.Split(defined["OTEL_RESOURCE_ATTRIBUTES"], ",")
	if !slices.Contains(attributes, "service.instance.id=$(POD_UID)."+found.Name) {
		t.Errorf("no instance of pod and container: %v", attributes)
	}
}

// variables are those of an env file.
func variables(t *testing.T, name string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(read(t, name))), "\n") {
		key, value, is := strings.Cut(line, "=")
		if !is {
			t.Fatalf("%s: %q is no variable", name, line)
		}
		found[key] = value
	}
	return found
}

var expansion = regexp.MustCompile(`\$\{env:([A-Z_]+)(?::-([^}]*))?\}`)

// resolved is a configuration with its variables resolved, as the collector does it: a value that is a variable and nothing else is
// YAML.
func resolved(t *testing.T, value any, variables map[string]string, used map[string]bool) any {
	t.Helper()
	of := func(text string) string {
		match := expansion.FindStringSubmatch(text)
		used[match[1]] = true
		if value, is := variables[match[1]]; is {
			return value
		}
		return match[2]
	}
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			value[key] = resolved(t, value[key], variables, used)
		}
	case []any:
		for index := range value {
			value[index] = resolved(t, value[index], variables, used)
		}
	case string:
		if expansion.FindString(value) != value || value == "" {
			return expansion.ReplaceAllStringFunc(value, of)
		}
		var parsed any
		if err := yaml.Unmarshal([]byte(of(value)), &parsed); err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	return value
}

func TestTheOperatorsConfigurationIsThatOfTheCollectorWithItsVariablesResolved(t *testing.T) {
	for _, tier := range []string{"agent", "gateway"} {
		t.Run(tier, func(t *testing.T) {
			var configuration map[string]any
			if err := yaml.UnmarshalStrict(read(t, "collector/"+tier+".yaml"), &configuration); err != nil {
				t.Fatal(err)
			}
			given, used := variables(t, "kubernetes/"+tier+".env"), map[string]bool{}
			expected := resolved(t, configuration, given, used)
			for name := range given {
				if !used[name] {
					t.Errorf("%s is set for the %s, which does not read it", name, tier)
				}
			}
			name := "kubernetes/operator/" + tier + ".yaml"
			text := read(t, name)
			if os.Getenv("UPDATE") != "" {
				update(t, name, text, expected)
				return
			}
			var found struct{ Spec struct{ Config any } }
			if err := yaml.Unmarshal(text, &found); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(found.Spec.Config, expected) {
				t.Errorf("%s is not collector/%s.yaml: UPDATE=1 go test ./...", name, tier)
			}
		})
	}
}

// update writes the configuration at the end of the document, where it has its place.
func update(t *testing.T, name string, text []byte, configuration any) {
	t.Helper()
	before, _, is := strings.Cut(string(text), "\n  config:")
	written, err := yaml.Marshal(configuration)
	if err != nil || !is {
		t.Fatalf("%s: %v", name, err)
	}
	indented := strings.ReplaceAll(strings.TrimSpace(string(written)), "\n", "\n    ")
	whole := before + "\n  config:\n    " + indented + "\n"
	if err := os.WriteFile(filepath.Join(root, name), []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheAgentsKnowEveryGateway(t *testing.T) {
	gateways := variables(t, "kubernetes/agent.env")["GATEWAYS"]
	var found *apps.StatefulSet
	for _, object := range decode(t, "gateway", read(t, "kubernetes/plain/gateway.yaml")) {
		if set, is := object.(*apps.StatefulSet); is {
			found = set
		}
	}
	operator := decode(t, "operator", read(t, "kubernetes/operator/gateway.yaml"))[0].(*otel.OpenTelemetryCollector)
	if *operator.Spec.Replicas != *found.Spec.Replicas || operator.Spec.ServiceName != found.Spec.ServiceName {
		t.Error("the operator's gateway has other replicas or another service than the plain one")
	}
	var names []string
	if err := yaml.Unmarshal([]byte(gateways), &names); err != nil {
		t.Fatal(err)
	}
	if len(names) != int(*found.Spec.Replicas) {
		t.Errorf("%d gateways, %d replicas", len(names), *found.Spec.Replicas)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, found.Name+"-") || !strings.Contains(name, "."+found.Spec.ServiceName+":4317") {
			t.Errorf("%s is no pod of %s", name, found.Name)
		}
	}
}
