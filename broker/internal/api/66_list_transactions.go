package api

import (
	"context"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ListTransactions, v0-2: the transactional ids that are known.
//
// v1: only those that have a transaction for longer than some time
// v2: only those that a regular expression matches
func (s *Server) listTransactions(req *wire.Request, r *kmsg.ListTransactionsRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.ListTransactionsResponse)
	wanted, code := s.txnFilter(r, resp)
	if code != 0 {
		resp.ErrorCode = code
		return ready(resp)
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		for _, f := range s.Txns.All() {
			ts, err := f.Await(ctx)
			switch {
			case ctx.Err() != nil:
				return nil, context.Cause(ctx)
			case err != nil:
				resp.ErrorCode = s.coordCode(err)
				return resp, nil
			}
			for _, t := range ts {
				if !wanted(t) || !s.sees(req, toDescribe, aTransaction, t.ID) {
					continue
				}
				out := kmsg.NewListTransactionsResponseTransactionState()
				out.TransactionalID, out.ProducerID, out.TransactionState = t.ID, t.ProducerID, t.State.String()
				resp.TransactionStates = append(resp.TransactionStates, out)
			}
		}
		return resp, nil
	})
}

// txnFilter is what a request asks for. States that it doesn't know go into the
// response.
func (s *Server) txnFilter(r *kmsg.ListTransactionsRequest, resp *kmsg.ListTransactionsResponse) (func(*txn.Txn) bool, int16) {
	var states []txn.State
	for _, name := range r.StateFilters {
		if state, ok := txn.ParseState(name); ok {
			states = append(states, state)
		} else {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
		}
	}
	var pattern *regexp.Regexp
	if p := r.TransactionalIDPattern; p != nil && *p != "" {
		var err error
		if pattern, err = regexp.Compile("^(?:" + *p + ")$"); err != nil {
			return nil, kerr.InvalidRegularExpression.Code
		}
	}
	now, longer := s.nowMillis(), int64(-1)
	if r.Version >= 1 {
		longer = r.DurationFilterMillis
	}
	return func(t *txn.Txn) bool {
		switch {
		case len(r.ProducerIDFilters) > 0 && !slices.Contains(r.ProducerIDFilters, t.ProducerID),
			len(r.StateFilters) > 0 && !slices.Contains(states, t.State),
			longer >= 0 && now-t.StartedAt <= longer,
			pattern != nil && !pattern.MatchString(t.ID):
			return false
		}
		return true
	}, 0
}
