package contexts

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func environment(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) string { return m[k] }
}

func file() *File {
	return &File{Current: "prod", Contexts: map[string]*Context{
		"prod": {Addr: []string{"https://p1:8443", "https://p2:8443"}, CA: "prod.crt", Token: "prod-token"},
		"lab":  {Addr: []string{"https://lab:8443"}, Session: "lab-session", User: "ann"},
	}}
}

func TestFlagsGoBeforeTheEnvironmentBeforeTheFileBeforeDefaults(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(" from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	prod := []string{"https://p1:8443", "https://p2:8443"}
	for _, c := range []struct {
		name  string
		flags Flags
		env   []string
		file  *File
		want  Target
	}{
		{"nothing", Flags{}, nil, &File{}, Target{Addrs: []string{DefaultAddr}}},
		{"the file", Flags{}, nil, file(), Target{Name: "prod", Addrs: prod, CA: "prod.crt", Token: "prod-token"}},
		{"another context by flag", Flags{Context: "lab"}, []string{"DROVER_CONTEXT", "prod"}, file(), Target{Name: "lab", Addrs: []string{"https://lab:8443"}, Session: "lab-session"}},
		{"another context by environment", Flags{}, []string{"DROVER_CONTEXT", "lab"}, file(), Target{Name: "lab", Addrs: []string{"https://lab:8443"}, Session: "lab-session"}},
		{"address by environment", Flags{}, []string{"DROVER_ADDR", "http://e1:1, http://e2:2/"}, file(), Target{Name: "prod", Addrs: []string{"http://e1:1", "http://e2:2"}}},
		{"address by flag", Flags{Addr: []string{"http://f:1"}}, []string{"DROVER_ADDR", "http://e:1"}, file(), Target{Name: "prod", Addrs: []string{"http://f:1"}}},
		{"an address of the context keeps its credentials", Flags{Addr: []string{"https://p2:8443/"}}, nil, file(), Target{Name: "prod", Addrs: []string{"https://p2:8443"}, CA: "prod.crt", Token: "prod-token"}},
		{"one of its addresses and another do not", Flags{Addr: []string{"https://p2:8443,https://evil:1"}}, nil, file(), Target{Name: "prod", Addrs: []string{"https://p2:8443", "https://evil:1"}}},
		{"token by environment", Flags{}, []string{"DROVER_TOKEN", "e"}, file(), Target{Name: "prod", Addrs: prod, CA: "prod.crt", Token: "e"}},
		{"token by flag", Flags{Token: "f"}, []string{"DROVER_TOKEN", "e"}, file(), Target{Name: "prod", Addrs: prod, CA: "prod.crt", Token: "f"}},
		{"token file by flag before the token of the environment", Flags{TokenFile: secret}, []string{"DROVER_TOKEN", "e"}, file(), Target{Name: "prod", Addrs: prod, CA: "prod.crt", Token: "from-file"}},
		{"token file by environment", Flags{}, []string{"DROVER_TOKEN_FILE", secret}, file(), Target{Name: "prod", Addrs: prod, CA: "prod.crt", Token: "from-file"}},
		{"a token replaces a session", Flags{Context: "lab", Token: "f"}, nil, file(), Target{Name: "lab", Addrs: []string{"https://lab:8443"}, Token: "f"}},
		{"authority by environment", Flags{}, []string{"DROVER_CA", "e.crt"}, file(), Target{Name: "prod", Addrs: prod, CA: "e.crt", Token: "prod-token"}},
		{"authority by flag", Flags{CA: "f.crt"}, []string{"DROVER_CA", "e.crt"}, file(), Target{Name: "prod", Addrs: prod, CA: "f.crt", Token: "prod-token"}},
	} {
		got, err := c.file.Resolve(c.flags, environment(c.env...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestAContextThatIsNotThereIsNamed(t *testing.T) {
	if _, err := file().Resolve(Flags{Context: "nope"}, environment()); err == nil || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("%v", err)
	}
	if _, err := file().Resolve(Flags{Token: "a", TokenFile: "b"}, environment()); err == nil {
		t.Error("two tokens were taken")
	}
}

func TestTheFileIsKeptForItsOwnerAlone(t *testing.T) {
	path := Path(environment("XDG_CONFIG_HOME", t.TempDir()))
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Current, f.Contexts["x"] = "x", &Context{Addr: []string{"https://x"}, Token: "t"}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again, err := Load(path)
	if err != nil || !reflect.DeepEqual(again.Contexts, f.Contexts) || again.Current != "x" {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestAMistakeInTheFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("current: a\ncontexts:\n  a:\n    adr: [x]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "line 4") || !strings.Contains(err.Error(), "adr") {
		t.Errorf("%v", err)
	}
}

func TestWithoutXDGTheFileIsInTheHome(t *testing.T) {
	home := filepath.Join("/", "h", "ann")
	want := filepath.Join(home, ".config", "drover", "config.yaml")
	if got := Path(environment("HOME", home, "XDG_CONFIG_HOME", "relative")); got != want {
		t.Errorf("%s", got)
	}
}
