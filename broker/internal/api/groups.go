package api

import (
	"context"
	"errors"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// coordCode is the error code for a coordinator that could not do its work.
func (s *Server) coordCode(err error) int16 {
	if !errors.Is(err, coord.ErrClosed) {
		s.Log.Error("a coordinator failed", "err", err)
	}
	return kerr.CoordinatorNotAvailable.Code
}

// groupAnswer passes a member's request on and waits for the group's answer.
// fail makes an answer with an error code.
func (s *Server) groupAnswer(req *wire.Request, id string, fail func(int16) kmsg.Response, ask func() (*coord.Answer, error)) wire.Reply {
	if id == "" {
		return ready(fail(kerr.InvalidGroupID.Code))
	}
	if !s.mayGroup(req, toRead, id) {
		return ready(fail(groupDenied))
	}
	f, err := ask()
	if err != nil {
		return ready(fail(s.coordCode(err)))
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		resp, err := f.Await(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			return fail(s.coordCode(err)), nil
		}
		return resp, nil
	})
}

// failed makes an answer to r with nothing but an error code.
func failed(r kmsg.Request, code int16) kmsg.Response {
	resp := r.ResponseKind()
	group.Fail(resp, code)
	return resp
}

// clientOf is who sent a request, as groups remember it.
func clientOf(req *wire.Request) group.Client {
	host := req.Client.String()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return group.Client{ID: req.ClientID, Host: "/" + host}
}
