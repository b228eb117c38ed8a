package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeLogDirs, v1-5: how large partitions are.
//
// v2: flexible
// v3: an error code for the whole
// v4: size of the disk, told as unknown
// v5: whether the directory is cordoned: never
func (s *Server) describeLogDirs(req *wire.Request, r *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	if !s.mayCluster(req, toDescribe) {
		resp.ErrorCode = clusterDenied
		return resp
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = s.LogDir
	dir.TotalBytes, dir.UsableBytes = -1, -1
	img := s.Catalog.Image()
	if r.Topics == nil {
		for _, t := range img.Topics() {
			dir.Topics = append(dir.Topics, logDirTopic(t, nil))
		}
	}
	for _, rt := range r.Topics {
		if t := img.Topic(rt.Topic); t != nil {
			dir.Topics = append(dir.Topics, logDirTopic(t, rt.Partitions))
		}
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp
}

// logDirTopic tells of the given partitions of a topic; none are all.
func logDirTopic(t *catalog.Topic, partitions []int32) kmsg.DescribeLogDirsResponseDirTopic {
	out := kmsg.NewDescribeLogDirsResponseDirTopic()
	out.Topic = t.Name
	for i, log := range t.Logs {
		if partitions != nil && !slices.Contains(partitions, int32(i)) {
			continue
		}
		p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		p.Partition, p.Size = int32(i), log.Size()
		out.Partitions = append(out.Partitions, p)
	}
	return out
}
