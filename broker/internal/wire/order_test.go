package wire

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestServe_OrderOfAnyRequests has requests come alone and together, while those
// before them are answered or not, and some be ready at once and others later:
// the answers come in their order.
func TestServe_OrderOfAnyRequests(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			draw := rand.New(rand.NewPCG(seed, 0))
			c, ended := serve(handle(func(r *Request) (Reply, error) {
				late := time.Duration(r.Body[0]) * time.Millisecond
				if late == 0 {
					return Ready{body(r.Body)}, nil
				}
				return wait(func(context.Context) (Response, error) {
					<-time.After(late)
					return body(r.Body), nil
				}), nil
			}))
			const count = 200
			var sender sync.WaitGroup
			sender.Go(func() {
				for id := 0; id < count; {
					var burst []byte
					for range min(1+draw.IntN(4)*draw.IntN(3), count-id) {
						late := max(0, draw.IntN(8)-5)
						burst = append(burst, request(0, int32(id), string([]byte{byte(late)}))...)
						id++
					}
					if _, err := c.Write(burst); err != nil {
						t.Error(err)
					}
					<-time.After(time.Duration(draw.IntN(3)) * time.Millisecond)
				}
			})
			for id := range int32(count) {
				if got, _ := response(t, c); got != id {
					t.Fatalf("seed %d: answer %d comes instead of %d", seed, got, id)
				}
			}
			sender.Wait()
			c.Close()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}
