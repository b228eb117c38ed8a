package main

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func cluster() error {
	m := Must1(admin.Metadata(ctx))
	Equal(len(m.Brokers), 1, "brokers")
	Holds(m.Cluster != "" && m.Controller == m.Brokers[0].NodeID, "cluster and controller")
	v := Must1(admin.ApiVersions(ctx)).Sorted()[0]
	Holds(v.VersionGuess() != "unknown", "a version that is known")
	return nil
}

func topics() error {
	name := topic(2)
	_, err := admin.CreateTopic(ctx, 1, 1, nil, name)
	Holds(errors.Is(err, kerr.TopicAlreadyExists), "creating it again fails")
	Must(Must1(admin.UpdatePartitions(ctx, 4, name)).Error())
	Until("four partitions", func() bool { return len(Must1(admin.ListTopics(ctx, name))[name].Partitions) == 4 })
	Must(Must1(admin.DeleteTopics(ctx, name)).Error())
	Holds(errors.Is(Must1(admin.DeleteTopics(ctx, name)).Error(), kerr.UnknownTopicOrPartition), "deleting it again fails")
	_, err = admin.CreateTopic(ctx, 1, 1, map[string]*string{"no.such": new(string)}, Fresh("t"))
	Holds(errors.Is(err, kerr.InvalidConfig), "an unknown config fails")
	return nil
}

func configs() error {
	name := topic(1, "cleanup.policy", "compact")
	get := func(key string) string {
		c := Must1(Must1(admin.DescribeTopicConfigs(ctx, name)).On(name, nil))
		for _, e := range c.Configs {
			if e.Key == key {
				return e.MaybeValue()
			}
		}
		return "missing"
	}
	v, a := "777", "delete"
	Must(Must1(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &v}, {Op: kadm.AppendConfig, Name: "cleanup.policy", Value: &a}}, name))[0].Err)
	Equal(get("retention.ms")+" "+get("cleanup.policy"), "777 compact,delete", "configs")
	Must(Must1(admin.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &v}}, name))[0].Err)
	Equal(get("retention.ms")+" "+get("cleanup.policy"), "777 delete", "configs after the old way")
	return nil
}

func logDirs() error {
	name := topic(2)
	write(name, "v")
	d := Must1(admin.DescribeAllLogDirs(ctx, kadm.TopicsSet{name: {0: {}, 1: {}}}))
	n := 0
	d.Each(func(x kadm.DescribedLogDir) { x.Topics.Each(func(kadm.DescribedLogDirPartition) { n++ }) })
	Equal(n, 2, "partitions")
	return nil
}

func deleteRecords() error {
	name := topic(1)
	write(name, Numbers(10)...)
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: name, At: 4})
	Must(Must1(admin.DeleteRecords(ctx, o)).Error())
	Equal(string(readAll(name, 6)[0].Value), "4", "first value")
	return nil
}

func users() error {
	name := Fresh("user")
	r := Must1(admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: name, Mechanism: kadm.ScramSha512, Iterations: 5000, Password: "secret"}}))
	Must(r[name].Err)
	Until("the user is there", func() bool {
		d, err := admin.DescribeUserSCRAMs(ctx, name)
		return err == nil && d[name].Err == nil && len(d[name].CredInfos) == 1 && d[name].CredInfos[0].Iterations == 5000
	})
	return nil
}

func quotas() error {
	id := Fresh("client")
	Must(Must1(admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: &id}}, Ops: []kadm.AlterClientQuotaOp{{Key: "consumer_byte_rate", Value: 1e9}}}}))[0].Err)
	Until("the quota is there", func() bool {
		q, err := admin.DescribeClientQuotas(ctx, true, []kadm.DescribeClientQuotaComponent{{Type: "client-id", MatchName: &id}})
		return err == nil && len(q) == 1 && q[0].Values[0].Value == 1e9
	})
	return nil
}

func acls() error {
	r, err := admin.DescribeACLs(ctx, kadm.NewACLs().AnyResource().Allow().AllowHosts().Deny().DenyHosts().Operations().ResourcePatternType(kadm.ACLPatternAny))
	if err == nil {
		err = r[0].Err
	}
	Holds(errors.Is(err, kerr.SecurityDisabled), fmt.Sprintf("security is disabled: %v", err))
	return nil
}
