package api

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/wire"
)

// maxQuotas bounds the entities with quotas.
const maxQuotas = 100_000

// AlterClientQuotas, v0-1: set and remove quotas. They hold at once.
//
// v1: flexible
func (s *Server) alterClientQuotas(req *wire.Request, r *kmsg.AlterClientQuotasRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	allowed := s.mayCluster(req, toAlterConfigs)
	for _, re := range r.Entries {
		out := kmsg.NewAlterClientQuotasResponseEntry()
		var parts []quota.Part
		for _, p := range re.Entity {
			parts = append(parts, quota.Part{Type: p.Type, Name: p.Name})
			part := kmsg.NewAlterClientQuotasResponseEntryEntity()
			part.Type, part.Name = p.Type, p.Name
			out.Entity = append(out.Entity, part)
		}
		err := error(kerr.ClusterAuthorizationFailed)
		if allowed {
			err = s.alterQuota(parts, re.Ops, r.ValidateOnly)
		}
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		resp.Entries = append(resp.Entries, out)
	}
	return resp
}

// alterQuota changes the quotas of one entity, or only tries to.
func (s *Server) alterQuota(parts []quota.Part, ops []kmsg.AlterClientQuotasRequestEntryOp, validateOnly bool) error {
	e, err := quota.NewEntity(parts)
	if err != nil {
		return err
	}
	for _, op := range ops {
		value := op.Value
		if op.Remove {
			value = 1 // only the key counts
		}
		if err := e.CheckValue(op.Key, value); err != nil {
			return err
		}
	}
	if validateOnly {
		return nil
	}
	return s.Catalog.Secure(func(c *catalog.Change) error {
		c.Quotas = changeQuota(c.Quotas, e, ops)
		if len(c.Quotas) > maxQuotas {
			return batch.Errorf(kerr.PolicyViolation, "There would be more than %d entities with quotas.", maxQuotas)
		}
		return nil
	})
}

// changeQuota returns entries with the operations applied to one of them.
func changeQuota(entries []quota.Entry, e quota.Entity, ops []kmsg.AlterClientQuotasRequestEntryOp) []quota.Entry {
	entries = slices.Clone(entries)
	at := slices.IndexFunc(entries, func(old quota.Entry) bool { return old.Entity.Key() == e.Key() })
	if at < 0 {
		at = len(entries)
		entries = append(entries, quota.Entry{Entity: e})
	}
	values := maps.Clone(entries[at].Values)
	if values == nil {
		values = map[string]float64{}
	}
	for _, op := range ops {
		if op.Remove {
			delete(values, op.Key)
		} else {
			values[op.Key] = op.Value
		}
	}
	entries[at].Values = values
	if len(values) == 0 {
		return slices.Delete(entries, at, at+1)
	}
	return entries
}
