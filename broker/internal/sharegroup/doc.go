// Package sharegroup is the members of share groups, and which partitions each
// fetches from.
//
// A [Group] is a [group.Membership]: it decides without I/O, and its records are
// Kafka's. Unlike the members of a consumer group, those of a share group may have
// the same partition, so a member is given what it should have at once: nobody has
// to give anything back first.
//
// What becomes of the records of the partitions is the business of package share.
package sharegroup
