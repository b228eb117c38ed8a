// Command flights is a placeholder.
package main

func main() { println(topology.Describe()) }
