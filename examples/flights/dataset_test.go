package main

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// smallFS is files of one row each.
func smallFS() fstest.MapFS {
	return fstest.MapFS{
		"airlines.csv": {Data: []byte("carrier,name\n9E,\"Endeavor, \"\"Air\"\" Inc.\"\n")},
		"airports.csv": {Data: []byte("faa,name,lat,lon,alt,tz,dst,tzone\n1E8,Here,41.13,-80.6,1044,-5,A,NA\n")},
		"planes.csv":   {Data: []byte("tailnum,year,type,manufacturer,model,engines,seats,speed,engine\nN1,2004,Fixed,EMBRAER,145,2,55,NA,Turbo\n")},
		"weather.csv":  {Data: []byte("origin,visib,time_hour\nEWR,0.25,2013-01-01T06:00:00Z\n")},
		"flights.csv": {Data: []byte("dep_delay,carrier,tailnum,origin,dest,distance,minute,time_hour\n" +
			"-3,9E,NA,EWR,1E8,100,15,2013-01-01T10:00:00Z\n" +
			"NA,9E,N1,EWR,1E8,100,5,2013-01-01T10:00:00Z\n")},
	}
}

func TestReadDataset(t *testing.T) {
	data, err := readDataset(smallFS())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range data {
		for _, r := range f.rows {
			fields, err := f.fields(r)
			if err != nil {
				t.Fatal(err)
			}
			value, err := f.value(fields)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(value) {
				t.Errorf("not JSON: %s", value)
			}
			key := "null"
			if k := f.keyOf(fields); k != nil {
				key = string(k)
			}
			got = append(got, f.topic+" "+key+" "+time.UnixMilli(r.at).UTC().Format("15:04")+" "+string(value))
		}
	}
	want := []string{
		`airlines 9E 00:00 {"carrier":"9E","name":"Endeavor, \"Air\" Inc."}`,
		`airports 1E8 00:00 {"faa":"1E8","name":"Here","lat":41.13,"lon":-80.6,"alt":1044,"tz":-5,"dst":"A","tzone":null}`,
		`planes N1 00:00 {"tailnum":"N1","year":2004,"type":"Fixed","manufacturer":"EMBRAER","model":"145","engines":2,"seats":55,"speed":null,"engine":"Turbo"}`,
		`weather EWR 06:00 {"origin":"EWR","visib":0.25,"time_hour":"2013-01-01T06:00:00Z"}`,
		`flights N1 10:05 {"dep_delay":null,"carrier":"9E","tailnum":"N1","origin":"EWR","dest":"1E8","distance":100,"minute":5,"time_hour":"2013-01-01T10:00:00Z"}`,
		`flights null 10:15 {"dep_delay":-3,"carrier":"9E","tailnum":null,"origin":"EWR","dest":"1E8","distance":100,"minute":15,"time_hour":"2013-01-01T10:00:00Z"}`,
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Fatalf("rows:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestReadDataset_Bad(t *testing.T) {
	good := string(smallFS()["flights.csv"].Data)
	for name, test := range map[string]struct{ text, want string }{
		"cut in half":   {good[:len(good)-30], "flights.csv: record on line 3"},
		"cut in a time": {good[:len(good)-4], "flights.csv, line 3: time_hour"},
		"not a number":  {strings.Replace(good, ",100,15", ",0x64,15", 1), `flights.csv, line 2: distance is "0x64"`},
		"no column":     {strings.Replace(good, "tailnum", "tail", 1), "flights.csv, line 1: there is no column tailnum"},
		"no rows":       {good[:strings.Index(good, "\n")+1], "flights.csv has no rows"},
		"open quote":    {strings.Replace(good, "9E", "\"9E", 1), "flights.csv: "},
	} {
		files := smallFS()
		files["flights.csv"] = &fstest.MapFile{Data: []byte(test.text)}
		if _, err := readDataset(files); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	files := smallFS()
	delete(files, "planes.csv")
	if _, err := readDataset(files); err == nil || !strings.Contains(err.Error(), "no planes.csv") {
		t.Errorf("without a file: %v", err)
	}
	files["planes.csv.gz"] = &fstest.MapFile{Data: []byte("not gzip")}
	if _, err := readDataset(fs.FS(files)); err == nil || !strings.Contains(err.Error(), "planes.csv.gz") {
		t.Errorf("with a file that isn't gzip: %v", err)
	}
}

func TestIsNumber(t *testing.T) {
	for _, s := range []string{
		"0", "-0", "1", "10", "1.5", "-1.05", "1e3", "1E+3", "1.5e-10", "",
		"-", "+1", "01", "1.", ".5", "1e", "1e+", "e3", "1e+-3", "0x64", "NaN", "1 ", "1e3.5", "1_000",
	} {
		if got, want := isNumber(s), json.Valid([]byte(s)) && s == strings.TrimSpace(s); got != want {
			t.Errorf("isNumber(%q) = %t, want %t", s, got, want)
		}
	}
}
