// Package serde turns typed keys and values into bytes and back.
//
// A [Serde] is chosen once, where a topic or a store is declared; from there
// on its type parameter is what the compiler infers everything else from:
//
//	var totals = topic.New("totals", serde.String, serde.Int64)
//
// Ready to use are [String], [Bytes], [Bool], the integers and floats in the
// formats of Kafka's own serializers, and [JSON] and [Msgpack] for structs.
// [Func] makes one's own of two functions, [Pointer] one of pointers.
//
// Serdes know nothing of topics, schemas or headers, and there is no registry
// and no default: a type gets the serde it was declared with.
package serde
