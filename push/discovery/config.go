package discovery

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

// settings is fsm.Discovery.Config: an object with the member that the type
// names, and what names and URLs are made of.
//
//	{"dns": {"name": "hooks.example.com", "port": 8080}, "prefix": "hook", "path": "/gate"}
type settings struct {
	DNS    *dnsSettings    `json:"dns"`
	Consul *consulSettings `json:"consul"`
	File   *fileSettings   `json:"file"`
	Prefix string          `json:"prefix"`
	Path   string          `json:"path"`
}

type dnsSettings struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Port     int    `json:"port"`
	Scheme   string `json:"scheme"`
	Resolver string `json:"resolver"`
}

type consulSettings struct {
	Address        string   `json:"address"`
	Scheme         string   `json:"scheme"`
	Service        string   `json:"service"`
	Tags           []string `json:"tags"`
	Datacenter     string   `json:"datacenter"`
	Namespace      string   `json:"namespace"`
	Passing        bool     `json:"passing"`
	InstanceScheme string   `json:"instance_scheme"`
	CA             string   `json:"ca"`          // PEM, of Consul's certificate
	ServerName     string   `json:"server_name"` // in Consul's certificate
}

type fileSettings struct {
	Path string `json:"path"`
}

// Decode reads a source as the state keeps it, and checks it. The error begins
// with the field that is wrong.
func Decode(d *fsm.Discovery) (Source, error) {
	var in settings
	if err := json.Unmarshal([]byte(d.Config), &in, json.RejectUnknownMembers(true)); err != nil {
		return Source{}, fmt.Errorf("the settings of the source: %w", err)
	}
	s := Source{
		ID: d.ID, Kind: Kind(d.Type), Interval: time.Duration(d.Interval) * time.Millisecond,
		Template: Template{Prefix: in.Prefix, Path: in.Path, Labels: d.Labels, Accepts: d.Accepts},
	}
	given := 0
	if in.DNS != nil {
		s.DNS = DNS(*in.DNS)
		given++
	}
	if c := in.Consul; c != nil {
		s.Consul = Consul{
			Address: c.Address, Scheme: c.Scheme, Service: c.Service, Tags: c.Tags, Datacenter: c.Datacenter,
			Namespace: c.Namespace, Passing: c.Passing, InstanceScheme: c.InstanceScheme,
			TLS: instance.TLS{CA: c.CA, ServerName: c.ServerName},
		}
		given++
	}
	if in.File != nil {
		s.File = File(*in.File)
		given++
	}
	if given > 1 {
		return s, fmt.Errorf("%s: give the settings of one kind of source", d.Type)
	}
	return s, s.Validate()
}
