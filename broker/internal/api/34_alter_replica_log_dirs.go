package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// AlterReplicaLogDirs, v1-2: move partitions to another directory. There is
// only one, in which they are.
//
// v2: flexible
func (s *Server) alterReplicaLogDirs(req *wire.Request, r *kmsg.AlterReplicaLogDirsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	denied := !s.mayCluster(req, toAlter)
	img := s.Catalog.Image()
	for _, dir := range r.Dirs {
		for _, rt := range dir.Topics {
			out := kmsg.NewAlterReplicaLogDirsResponseTopic()
			out.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				p := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				p.Partition = rp
				switch {
				case denied:
					p.ErrorCode = clusterDenied
				case dir.Dir != s.LogDir:
					p.ErrorCode = kerr.LogDirNotFound.Code
				case img.Topic(rt.Topic).Log(rp) == nil:
					p.ErrorCode = kerr.UnknownTopicOrPartition.Code
				}
				out.Partitions = append(out.Partitions, p)
			}
			resp.Topics = append(resp.Topics, out)
		}
	}
	return resp
}
