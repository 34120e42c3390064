package api

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/discovery"
	"github.com/droverhq/drover/push/instance"
)

// discoveryRow is a source of instances. Found and Error are what its last
// answer was.
type discoveryRow struct {
	discoverySettings
	HasToken  bool   `json:"has_token"` // for its instances
	TLS       tlsRow `json:"tls"`
	Found     int    `json:"found"`
	Error     string `json:"error,omitzero"`
	Instances int    `json:"instances"` // that came from it, those that are gone included
}

// discoverySettings are what a person has said of a source. Of dns, consul and
// file there is the one that the type names.
type discoverySettings struct {
	ID       string            `json:"id"`
	Type     string            `json:"type,omitzero"`     // default: the one of dns, consul and file that there is
	Interval string            `json:"interval,omitzero"` // default 30s, at least 5s
	Labels   map[string]string `json:"labels,omitzero"`
	Accepts  []string          `json:"accepts,omitzero"`
	Prefix   string            `json:"prefix,omitzero"` // of the ids of its instances; default: its own id
	DNS      *dnsSource        `json:"dns,omitzero"`
	Consul   *consulSource     `json:"consul,omitzero"`
	File     *fileSource       `json:"file,omitzero"`
}

type discoveryRequest struct {
	discoverySettings
	Token string      `json:"token,omitzero"` // that its instances ask for
	TLS   *tlsRequest `json:"tls,omitzero"`
}

// dnsSource is a name: each address, or each target of SRV, is an instance.
type dnsSource struct {
	Name     string `json:"name"`
	Type     string `json:"type,omitzero"` // A (default), AAAA or SRV
	Port     int    `json:"port,omitzero"` // for A and AAAA
	Scheme   string `json:"scheme,omitzero"`
	Resolver string `json:"resolver,omitzero"`
	Path     string `json:"path,omitzero"` // of the URL
}

// consulSource is a service in Consul's catalogue.
type consulSource struct {
	Address    string   `json:"address"`
	Scheme     string   `json:"scheme,omitzero"` // of Consul
	Service    string   `json:"service"`
	Tags       []string `json:"tags,omitzero"`
	Datacenter string   `json:"datacenter,omitzero"`
	Namespace  string   `json:"namespace,omitzero"`
	Passing    bool     `json:"passing,omitzero"`
	OfInstance string   `json:"instance_scheme,omitzero"`
	Path       string   `json:"path,omitzero"`  // of the URL
	Token      string   `json:"token,omitzero"` // of Consul; never shown
	HasToken   bool     `json:"has_token,omitzero"`
}

// fileSource is a list below instances.files of the controllers.
type fileSource struct {
	Path string `json:"path"`
}

// storedSource is fsm.Discovery.Config, as package push/discovery reads it.
type storedSource struct {
	DNS    *storedDNS    `json:"dns,omitzero"`
	Consul *storedConsul `json:"consul,omitzero"`
	File   *fileSource   `json:"file,omitzero"`
	Prefix string        `json:"prefix,omitzero"`
	Path   string        `json:"path,omitzero"`
}

type storedDNS struct {
	Name     string `json:"name"`
	Type     string `json:"type,omitzero"`
	Port     int    `json:"port,omitzero"`
	Scheme   string `json:"scheme,omitzero"`
	Resolver string `json:"resolver,omitzero"`
}

type storedConsul struct {
	Address    string   `json:"address"`
	Scheme     string   `json:"scheme,omitzero"`
	Service    string   `json:"service"`
	Tags       []string `json:"tags,omitzero"`
	Datacenter string   `json:"datacenter,omitzero"`
	Namespace  string   `json:"namespace,omitzero"`
	Passing    bool     `json:"passing,omitzero"`
	OfInstance string   `json:"instance_scheme,omitzero"`
}

func (s *Server) listDiscoveries(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	list := gather[discoveryRow]{window: w}
	s.view(c, func(st *fsm.State) {
		for _, d := range st.Discoveries() {
			if (w.first || d.ID > w.after) && !list.add(d.ID, func() discoveryRow { return discoveryOf(st, d) }) {
				return
			}
		}
	})
	return c.ok(list.done())
}

// createDiscovery adds a source. The leader asks it by itself; this answer does
// not wait for that.
func (s *Server) createDiscovery(c *call) error {
	var in discoveryRequest
	if err := c.decode(instanceBody, &in); err != nil {
		return err
	}
	secret := ""
	if in.Consul != nil {
		secret = in.Consul.Token
	}
	if err := s.hideSecrets(c, in.Token != "" || secret != "" || in.TLS.secret()); err != nil {
		return err
	}
	d, err := in.discovery()
	if err != nil {
		return err
	}
	token, err := s.sealToken(&in.Token, "/token")
	if err != nil {
		return err
	}
	d.Token = *token
	of, err := s.sealToken(&secret, "/consul/token")
	if err != nil {
		return err
	}
	d.Secret = *of
	tls, err := s.sealTLS(in.TLS, fsm.InstanceTLS{})
	if err != nil {
		return err
	}
	if tls != nil {
		d.TLS = *tls
	}
	if _, err := s.propose(c, fsm.PutDiscovery{Discovery: d}); err != nil {
		return err
	}
	var out *discoveryRow
	s.view(c, func(st *fsm.State) {
		if d := st.Discovery(in.ID); d != nil {
			row := discoveryOf(st, d)
			out = &row
		}
	})
	if out == nil {
		return failure(codeNotFound, "no discovery is called %q", in.ID)
	}
	return c.answer(http.StatusCreated, out)
}

// deleteDiscovery takes a source away. Its instances stay, marked as gone.
func (s *Server) deleteDiscovery(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	if _, err := s.propose(c, fsm.RemoveDiscovery{ID: c.segment("id")}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// discovery checks a request and makes the row of it, without its secrets.
func (in *discoveryRequest) discovery() (fsm.Discovery, error) {
	d := fsm.Discovery{ID: in.ID, Labels: in.Labels, Accepts: in.Accepts}
	if in.ID == sourceManual {
		return d, invalid("/id", "%q is the source of what is added by hand: choose another id", in.ID)
	}
	if in.Consul != nil && in.Consul.HasToken {
		return d, invalid("/consul/has_token", "this is told, not set: give the token itself, or leave it out")
	}
	var err error
	if d.Type, err = in.kind(); err != nil {
		return d, err
	}
	var interval time.Duration
	if in.Interval != "" {
		if interval, err = time.ParseDuration(in.Interval); err != nil || interval == 0 {
			return d, invalid("/interval", "interval is %q; it is a duration of 5s or more", clip(in.Interval, 40))
		}
	}
	source, stored := in.source(interval)
	if err := source.Validate(); err != nil {
		return d, sourceError(err, d.Type)
	}
	if err := validAccepts(&in.Accepts); err != nil {
		return d, err
	}
	config, err := json.Marshal(stored)
	d.Config, d.Interval = string(config), source.Every().Milliseconds()
	return d, err
}

// kind is the type of a source: of dns, consul and file just that one is there.
func (in *discoveryRequest) kind() (string, error) {
	var given []string
	for _, k := range []struct {
		kind discovery.Kind
		is   bool
	}{{discovery.KindDNS, in.DNS != nil}, {discovery.KindConsul, in.Consul != nil}, {discovery.KindFile, in.File != nil}} {
		if k.is {
			given = append(given, string(k.kind))
		}
	}
	switch {
	case len(given) != 1:
		return "", invalid("", "give one of dns, consul and file: where to look for instances")
	case in.Type != "" && in.Type != given[0]:
		return "", invalid("/type", "type is %q, and the settings are those of %s", clip(in.Type, 40), given[0])
	}
	return given[0], nil
}

// source is a request in the words of package push/discovery, and in the form in
// which the state keeps it.
func (in *discoveryRequest) source(interval time.Duration) (discovery.Source, storedSource) {
	out := discovery.Source{ID: in.ID, Interval: interval, Template: discovery.Template{Prefix: in.Prefix, Labels: in.Labels, Accepts: in.Accepts}}
	stored := storedSource{Prefix: in.Prefix, File: in.File}
	switch {
	case in.DNS != nil:
		d := storedDNS{in.DNS.Name, in.DNS.Type, in.DNS.Port, in.DNS.Scheme, in.DNS.Resolver}
		out.Kind, out.DNS, out.Template.Path = discovery.KindDNS, discovery.DNS(d), in.DNS.Path
		stored.DNS = &d
	case in.Consul != nil:
		c := in.Consul
		out.Kind, out.Template.Path = discovery.KindConsul, c.Path
		out.Consul = discovery.Consul{Address: c.Address, Scheme: c.Scheme, Service: c.Service, Tags: c.Tags, Datacenter: c.Datacenter,
			Namespace: c.Namespace, Passing: c.Passing, InstanceScheme: c.OfInstance}
		stored.Consul = &storedConsul{c.Address, c.Scheme, c.Service, c.Tags, c.Datacenter, c.Namespace, c.Passing, c.OfInstance}
	case in.File != nil:
		out.Kind, out.File = discovery.KindFile, discovery.File(*in.File)
	}
	stored.Path = out.Template.Path
	return out, stored
}

var sourceField = regexp.MustCompile(`^([a-z_]+(?:\.[a-z_]+)?)((?:\[[0-9]+\])?): `)

// sourceError finds the place in the body that an error of a source begins with.
func sourceError(err error, kind string) error {
	m := sourceField.FindStringSubmatch(err.Error())
	if m == nil {
		return invalid("", "%v", err)
	}
	field := m[1]
	switch {
	case field == "template.path":
		field = kind + ".path"
	case field == "kind":
		field = "type"
	default:
		field = strings.TrimPrefix(field, "template.")
	}
	pointer := "/" + strings.ReplaceAll(field, ".", "/") + strings.NewReplacer("[", "/", "]", "").Replace(m[2])
	return invalid(pointer, "%s", strings.TrimPrefix(err.Error(), m[0]))
}

func discoveryOf(st *fsm.State, d *fsm.Discovery) discoveryRow {
	out := discoveryRow{
		discoverySettings: discoverySettings{
			ID: d.ID, Type: d.Type, Interval: (time.Duration(d.Interval) * time.Millisecond).String(), Labels: notNilMap(d.Labels), Accepts: notNil(d.Accepts),
		},
		HasToken: len(d.Token) > 0, TLS: tlsRowOf(d.TLS), Found: d.Found, Error: d.Error,
	}
	for n := range st.Instances {
		if n.Instance.Source == d.ID {
			out.Instances++
		}
	}
	var stored storedSource
	if err := json.Unmarshal([]byte(d.Config), &stored); err != nil {
		out.Error = instance.Clean("its settings cannot be read: "+err.Error(), 500)
		return out
	}
	out.Prefix, out.File = stored.Prefix, stored.File
	if s := stored.DNS; s != nil {
		out.DNS = &dnsSource{s.Name, s.Type, s.Port, s.Scheme, s.Resolver, stored.Path}
	}
	if s := stored.Consul; s != nil {
		out.Consul = &consulSource{Address: s.Address, Scheme: s.Scheme, Service: s.Service, Tags: s.Tags, Datacenter: s.Datacenter, Namespace: s.Namespace,
			Passing: s.Passing, OfInstance: s.OfInstance, Path: stored.Path, HasToken: len(d.Secret) > 0}
	}
	return out
}
