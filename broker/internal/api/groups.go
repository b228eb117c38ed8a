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
		resp, code, err := awaitCoord(ctx, s, f, nil)
		switch {
		case err != nil:
			return nil, err
		case code != 0:
			return fail(code), nil
		}
		return resp, nil
	})
}

// awaitCoord waits for a coordinator that was asked, unless asking was an error.
// The coordinator's own trouble is the code; the error is ctx's.
func awaitCoord[T any](ctx context.Context, s *Server, f *coord.Future[T], err error) (v T, code int16, _ error) {
	if err == nil {
		v, err = f.Await(ctx)
	}
	switch {
	case err == nil:
		return v, 0, nil
	case ctx.Err() != nil:
		return v, 0, context.Cause(ctx)
	}
	return v, s.coordCode(err), nil
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
