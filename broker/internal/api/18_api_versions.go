package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ApiVersions, v0-4: what is served.
//
// It is the one request whose version may be unknown: the answer is then of
// version 0, with UNSUPPORTED_VERSION and only this API's own versions, and the
// client asks again.
//
// v1: throttle time
// v2: no change
// v3: flexible, client software name and version; the response header stays
// version 0
// v4: features may have a minimum of 0
//
// Each feature switches on, in clients, a protocol: those that aren't served are
// not told.
func (s *Server) apiVersions(r *wire.Request) (wire.Reply, error) {
	self, _ := served(keyApiVersions)
	if r.Version < self.min || r.Version > self.max {
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: self.key, MinVersion: self.min, MaxVersion: self.max}}
		return ready(resp), nil
	}
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(r.Version)
	if req.IsFlexible() {
		if err := r.Flexible(); err != nil {
			return nil, err
		}
	}
	if err := decode(r, req); err != nil {
		return nil, err
	}
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if r.Version >= 3 && !(softwareName(req.ClientSoftwareName) && softwareName(req.ClientSoftwareVersion)) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return ready(resp), nil
	}
	for _, a := range byKey {
		if a != nil {
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: a.key, MinVersion: a.min, MaxVersion: a.max})
		}
	}
	addFeatures(resp)
	return ready(resp), nil
}

// features are those of Kafka that make clients use newer protocols, with their
// levels.
var features = []struct {
	name       string
	min, level int16
}{
	{"group.version", 0, 1},     // consumer groups whose partitions the broker assigns
	{"metadata.version", 7, 30}, // Kafka 4.3's; tools print it
	{"share.version", 0, 1},     // share groups
	{"streams.version", 0, 1},
	{"transaction.version", 0, int16(partition.TxnV2)},
}

// addFeatures tells of features. They are tagged fields, which older versions
// don't have.
func addFeatures(resp *kmsg.ApiVersionsResponse) {
	resp.FinalizedFeaturesEpoch = 1
	for _, f := range features {
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, kmsg.ApiVersionsResponseFinalizedFeature{Name: f.name, MinVersionLevel: f.level, MaxVersionLevel: f.level})
		if resp.Version >= 4 || f.min > 0 { // a range that begins with 0 is an error to clients before v4
			resp.SupportedFeatures = append(resp.SupportedFeatures, kmsg.ApiVersionsResponseSupportedFeature{Name: f.name, MinVersion: f.min, MaxVersion: f.level})
		}
	}
}

// softwareName says whether a client may call itself so: letters and digits,
// with dots and dashes inside.
func softwareName(s string) bool {
	for i, r := range s {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		inside := i > 0 && i < len(s)-1 && (r == '.' || r == '-')
		if !alnum && !inside {
			return false
		}
	}
	return s != ""
}
