package api

// Served is an API that is served, with the versions that clients are told.
type Served struct {
	Key      int16
	Min, Max int16
}

// List lists the APIs that are served, by key.
func List() []Served {
	var list []Served
	for _, a := range byKey {
		if a != nil {
			list = append(list, Served{a.key, a.min, a.max})
		}
	}
	return list
}
