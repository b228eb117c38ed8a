package main

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func cluster() error {
	brokers, controller, err := admin.DescribeCluster()
	Must(err)
	Equal(len(brokers), 1, "brokers")
	Equal(brokers[0].ID(), controller, "controller")
	return nil
}

func topics() error {
	name := topic(2)
	l := Must1(admin.ListTopics())
	Equal(l[name].NumPartitions, int32(2), "partitions in the list")
	err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	Holds(errors.Is(err, sarama.ErrTopicAlreadyExists), "creating it again fails")
	Must(admin.CreatePartitions(name, 4, nil, false))
	Until("four partitions", func() bool { return len(Must1(admin.DescribeTopics([]string{name}))[0].Partitions) == 4 })
	Must(admin.DeleteTopic(name))
	Holds(errors.Is(admin.DeleteTopic(name), sarama.ErrUnknownTopicOrPartition), "deleting it again fails")
	return nil
}

func refused() error {
	v := "x"
	err := admin.CreateTopic(Fresh("t"), &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &v}}, false)
	Holds(errors.Is(err, sarama.ErrInvalidConfig), fmt.Sprintf("a bad config: %v", err))
	err = admin.CreateTopic("a b", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	Holds(errors.Is(err, sarama.ErrInvalidTopic), fmt.Sprintf("a bad name: %v", err))
	name := Fresh("t")
	Must(admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, true))
	_, there := Must1(admin.ListTopics())[name]
	Holds(!there, "a topic was only validated")
	return nil
}

func configs() error {
	name := topic(1, "cleanup.policy", "compact")
	get := func(key string) string {
		e := Must1(admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: name, ConfigNames: []string{key}}))
		return e[0].Value
	}
	Equal(get("cleanup.policy"), "compact", "cleanup.policy")
	v := "777"
	Must(admin.IncrementalAlterConfig(sarama.TopicResource, name, map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}}, false))
	Equal(get("retention.ms"), "777", "retention.ms")
	Must(admin.AlterConfig(sarama.TopicResource, name, map[string]*string{"retention.ms": &v}, false))
	Equal(get("cleanup.policy"), "delete", "cleanup.policy after the old way")
	return nil
}

func logDirs() error {
	_, id, err := admin.DescribeCluster()
	Must(err)
	d := Must1(admin.DescribeLogDirs([]int32{id}))
	Holds(len(d[id]) == 1 && d[id][0].ErrorCode == sarama.ErrNoError, "one directory")
	return nil
}

func deleteRecords() error {
	name := topic(1)
	send(config(), messages(name, Numbers(10)...)...)
	Must(admin.DeleteRecords(name, map[int32]int64{0: 4}))
	Equal(string(readAll(name, 6)[0].Value), "4", "first value")
	return nil
}

func users() error {
	name := Fresh("user")
	r := Must1(admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{Name: name, Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 5000, Salt: []byte("salt"), Password: []byte("secret")}}))
	Equal(r[0].ErrorCode, sarama.ErrNoError, "error")
	Until("the user is there", func() bool {
		d := Must1(admin.DescribeUserScramCredentials([]string{name}))
		return len(d) == 1 && len(d[0].CredentialInfos) == 1 && d[0].CredentialInfos[0].Iterations == 5000
	})
	return nil
}

func quotas() error {
	id := Fresh("client")
	who := []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchExact, Name: id}}
	Must(admin.AlterClientQuotas(who, sarama.ClientQuotasOp{Key: "producer_byte_rate", Value: 1e9}, false))
	Until("the quota is there", func() bool {
		d := Must1(admin.DescribeClientQuotas([]sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchExact, Match: id}}, true))
		return len(d) == 1 && d[0].Values["producer_byte_rate"] == 1e9
	})
	return nil
}
