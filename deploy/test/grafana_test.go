package deploy

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

const sdk = "github.com/grafana/grafana-foundation-sdk/go"

// filled is what Grafana fills in itself, so that it need not be written: a panel's link has nothing but a title and an address, the
// options of a panel have defaults, and the data source is chosen when the dashboard is opened.
var filled = regexp.MustCompile(`^(panels\[\]\.links\[\]\.(type|icon|tooltip|tags|asDropdown|includeVars|keepTime)` +
	`|panels\[\]\.options\.(wideLayout|showPercentChange|percentChangeColorMode|color\.fill|exemplars)` +
	`|templating\.list\[\]\.current\.(text|value)): required field is missing from input$`)

var index = regexp.MustCompile(`\[\d+\]`)

// faults are those of an error of a strict decoder.
func faults(err error) []string {
	if err == nil {
		return nil
	}
	var all cog.BuildErrors
	if !errors.As(err, &all) {
		return []string{err.Error()}
	}
	var found []string
	for _, one := range all {
		if !filled.MatchString(index.ReplaceAllString(one.Error(), "[]")) {
			found = append(found, one.Error())
		}
	}
	return found
}

// dashboards are the files, each with its text.
func dashboards(t *testing.T) map[string][]byte {
	t.Helper()
	plugins.RegisterDefaultPlugins()
	names, err := filepath.Glob(filepath.Join(root, "grafana/dashboards/*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal("no dashboard", err)
	}
	found := map[string][]byte{}
	for _, name := range names {
		base := filepath.Base(name)
		found[base] = read(t, "grafana/dashboards/"+base)
	}
	return found
}

func panels(t *testing.T, decoded dashboard.Dashboard) []dashboard.Panel {
	t.Helper()
	var found []dashboard.Panel
	for _, panel := range decoded.Panels {
		if panel.Panel != nil {
			found = append(found, *panel.Panel)
		}
		if panel.RowPanel != nil {
			found = append(found, panel.RowPanel.Panels...)
		}
	}
	if len(found) == 0 {
		t.Fatal("no panel")
	}
	return found
}

func TestTheDashboardHasNoFieldThatGrafanasTypesDoNotHave(t *testing.T) {
	for name, text := range dashboards(t) {
		var decoded dashboard.Dashboard
		for _, fault := range faults(decoded.UnmarshalJSONStrict(text)) {
			t.Errorf("%s: %s", name, fault)
		}
		for _, fault := range faults(decoded.Validate()) {
			t.Errorf("%s: %s", name, fault)
		}
		// The decoder above takes the fieldConfig of a panel leniently, but for its `custom`.
		var raw struct {
			Panels []struct {
				Title       string
				FieldConfig json.RawMessage
				Panels      []any
			}
		}
		if err := json.Unmarshal(text, &raw); err != nil {
			t.Fatal(err)
		}
		for _, panel := range raw.Panels {
			var config dashboard.FieldConfigSource
			for _, fault := range faults(config.UnmarshalJSONStrict(panel.FieldConfig)) {
				t.Errorf("%s: %s: %s", name, panel.Title, fault)
			}
			if len(panel.Panels) != 0 {
				t.Errorf("%s: %s: its panels are not looked at", name, panel.Title)
			}
		}
	}
}

func TestEveryPanelIsOfATypeThatGrafanaHasAndAsksPrometheus(t *testing.T) {
	for name, text := range dashboards(t) {
		var decoded dashboard.Dashboard
		if err := json.Unmarshal(text, &decoded); err != nil {
			t.Fatal(err)
		}
		for _, panel := range panels(t, decoded) {
			variant, known := cog.ConfigForPanelcfgVariant(panel.Type)
			if !known {
				t.Errorf("%s: %s: no panel is of the type %q", name, *panel.Title, panel.Type)
			}
			if variant.StrictOptionsUnmarshaler == nil {
				t.Errorf("%s: %s: the options of %s have no type", name, *panel.Title, panel.Type)
			}
			if variant.StrictFieldConfigUnmarshaler == nil && panel.FieldConfig.Defaults.Custom != nil {
				t.Errorf("%s: %s: a %s has nothing of its own in fieldConfig", name, *panel.Title, panel.Type)
			}
			if len(panel.Targets) == 0 {
				t.Errorf("%s: %s asks nothing", name, *panel.Title)
			}
			for _, target := range panel.Targets {
				if _, is := target.(*prometheus.Dataquery); !is {
					t.Errorf("%s: %s asks with a %T", name, *panel.Title, target)
				}
			}
		}
	}
}

// constants are the values of each enumeration of a package, by the name of its type; those without a type are under "".
func constants(t *testing.T, path string) map[string]map[string]bool {
	t.Helper()
	directory, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatal(path, err)
	}
	sources, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(directory)), "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatal(path, "has no source", err)
	}
	found := map[string]map[string]bool{}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			general, is := declaration.(*ast.GenDecl)
			if !is || general.Tok != token.CONST {
				continue
			}
			for _, spec := range general.Specs {
				spec := spec.(*ast.ValueSpec)
				name := ""
				if identifier, is := spec.Type.(*ast.Ident); is {
					name = identifier.Name
				}
				for _, value := range spec.Values {
					literal, is := value.(*ast.BasicLit)
					if !is {
						continue
					}
					text := literal.Value
					if unquoted, err := strconv.Unquote(text); err == nil {
						text = unquoted
					}
					if found[name] == nil {
						found[name] = map[string]bool{}
					}
					found[name][text] = true
				}
			}
		}
	}
	return found
}

// enumerated calls visit with every value below that is of a named type of the SDK and no struct; a string that is empty was not given.
func enumerated(value reflect.Value, at string, visit func(at string, kind reflect.Type, text string)) {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			enumerated(value.Elem(), at, visit)
		}
	case reflect.Struct:
		for field := range value.NumField() {
			enumerated(value.Field(field), at+"."+value.Type().Field(field).Name, visit)
		}
	case reflect.Slice:
		for item := range value.Len() {
			enumerated(value.Index(item), at+"["+strconv.Itoa(item)+"]", visit)
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			enumerated(value.MapIndex(key), at+"."+key.String(), visit)
		}
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int32, reflect.Int64:
		if !strings.HasPrefix(value.Type().PkgPath(), sdk) || value.Kind() == reflect.String && value.Len() == 0 {
			return
		}
		text := value.String()
		if value.CanInt() {
			text = strconv.FormatInt(value.Int(), 10)
		}
		visit(at, value.Type(), text)
	}
}

func TestEveryValueOfAnEnumerationIsOneOfIt(t *testing.T) {
	packages := map[string]map[string]map[string]bool{}
	for name, text := range dashboards(t) {
		var decoded dashboard.Dashboard
		if err := json.Unmarshal(text, &decoded); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		enumerated(reflect.ValueOf(decoded), name, func(at string, kind reflect.Type, text string) {
			if packages[kind.PkgPath()] == nil {
				packages[kind.PkgPath()] = constants(t, kind.PkgPath())
			}
			values := packages[kind.PkgPath()][kind.Name()]
			if !values[text] {
				t.Errorf("%s: %q is no %s", at, text, kind)
			}
			seen[kind.String()] = true
		})
		// One of the dashboard itself, one that panels share, one of a single type of panel, and one of the queries.
		for _, kind := range []string{"dashboard.DashboardCursorSync", "common.GraphDrawStyle", "heatmap.HeatmapColorMode", "prometheus.PromQueryFormat"} {
			if !seen[kind] {
				t.Errorf("%s: no %s was looked at", name, kind)
			}
		}
	}
}

func TestEveryUnitIsOneOfGrafanas(t *testing.T) {
	known := constants(t, sdk+"/units")[""]
	for name, text := range dashboards(t) {
		var decoded dashboard.Dashboard
		if err := json.Unmarshal(text, &decoded); err != nil {
			t.Fatal(err)
		}
		looked := 0
		for _, panel := range panels(t, decoded) {
			if unit := panel.FieldConfig.Defaults.Unit; unit != nil {
				looked++
				if !known[*unit] {
					t.Errorf("%s: %s: no unit is named %q", name, *panel.Title, *unit)
				}
			}
		}
		if looked == 0 {
			t.Errorf("%s: no unit was looked at", name)
		}
	}
}
