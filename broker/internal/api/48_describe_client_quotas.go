package api

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeClientQuotas, v0-1: the quotas of entities that a filter selects.
//
// v1: flexible
func (s *Server) describeClientQuotas(req *wire.Request, r *kmsg.DescribeClientQuotasRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	err := checkComponents(r.Components)
	if !s.mayCluster(req, toDescribeConfigs) {
		err = kerr.ClusterAuthorizationFailed
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = s.explain(err)
		return resp
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{} // null is an error
	for _, e := range s.Catalog.Security().Quotas.Entries() {
		if !quotaSelected(e.Entity, r.Components, r.Strict) {
			continue
		}
		out := kmsg.NewDescribeClientQuotasResponseEntry()
		for _, p := range e.Entity {
			part := kmsg.NewDescribeClientQuotasResponseEntryEntity()
			part.Type, part.Name = p.Type, p.Name
			out.Entity = append(out.Entity, part)
		}
		for _, key := range slices.Sorted(maps.Keys(e.Values)) {
			v := kmsg.NewDescribeClientQuotasResponseEntryValue()
			v.Key, v.Value = key, e.Values[key]
			out.Values = append(out.Values, v)
		}
		resp.Entries = append(resp.Entries, out)
	}
	return resp
}

func checkComponents(components []kmsg.DescribeClientQuotasRequestComponent) error {
	seen := map[string]bool{}
	for _, c := range components {
		switch {
		case c.EntityType != quota.UserType && c.EntityType != quota.ClientType && c.EntityType != quota.IPType:
			return batch.Errorf(kerr.UnsupportedVersion, "Custom entity type %s not supported", c.EntityType)
		case seen[c.EntityType]:
			return batch.Errorf(kerr.InvalidRequest, "Duplicate %s filter component entity type", c.EntityType)
		case c.MatchType == kmsg.QuotasMatchTypeExact && c.Match == nil:
			return batch.Errorf(kerr.InvalidRequest, "Request specifies MATCH_TYPE_EXACT, but no name")
		case c.MatchType < 0 || c.MatchType > kmsg.QuotasMatchTypeAny:
			return batch.Errorf(kerr.InvalidRequest, "Unknown match type %d", c.MatchType)
		}
		seen[c.EntityType] = true
	}
	return nil
}

// quotaSelected says whether each component finds its part in the entity. A
// strict filter wants no further parts.
func quotaSelected(e quota.Entity, components []kmsg.DescribeClientQuotasRequestComponent, strict bool) bool {
	if strict && len(components) > 0 && len(e) != len(components) {
		return false
	}
	for _, c := range components {
		ok := slices.ContainsFunc(e, func(p quota.Part) bool {
			if p.Type != c.EntityType {
				return false
			}
			switch c.MatchType {
			case kmsg.QuotasMatchTypeExact:
				return p.Name != nil && *p.Name == *c.Match
			case kmsg.QuotasMatchTypeDefault:
				return p.Name == nil
			default:
				return true
			}
		})
		if !ok {
			return false
		}
	}
	return true
}
