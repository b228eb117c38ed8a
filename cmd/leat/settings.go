package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/leatstream/leat/broker"
)

// settingFlags are the ways to give the broker settings by Kafka's names.
type settingFlags struct {
	config string
	set    []string
}

func (f *settingFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.config, "config", "", "`file` of settings in the form of Kafka's server.properties")
	fl.StringArrayVar(&f.set, "set", nil, "a setting by Kafka's name, `NAME=VALUE`, such as log.retention.hours=24 (may be repeated)")
}

// envPrefix is what the environment variables of settings begin with.
const envPrefix = "LEAT_BROKER_"

// envConfig names the file of --config.
const envConfig = envPrefix + "CONFIG"

// envName is the variable that gives a setting: log.retention.ms is
// LEAT_BROKER_LOG_RETENTION_MS.
func envName(setting string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(setting, ".", "_"))
}

// gather collects the settings: those of --set hold over those of the
// environment, and these over those of the file.
func (f *settingFlags) gather(environ []string) (map[string]string, error) {
	env, err := fromEnvironment(environ)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	file := f.config
	if file == "" {
		file = env[""]
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
		if all, err = broker.ParseProperties(string(text)); err != nil {
			return nil, fmt.Errorf("--config: %s: %w", file, err)
		}
	}
	delete(env, "")
	maps.Copy(all, env)
	for _, s := range f.set {
		name, value, ok := strings.Cut(s, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("--set %q: want NAME=VALUE", s)
		}
		all[name] = strings.TrimSpace(value)
	}
	return all, nil
}

// fromEnvironment finds the settings among variables NAME=VALUE; that of no
// name is the file.
func fromEnvironment(environ []string) (map[string]string, error) {
	byVariable := map[string]string{envConfig: ""}
	for _, name := range broker.SettingNames() {
		byVariable[envName(name)] = name
	}
	set := map[string]string{}
	var errs []error
	for _, v := range slices.Sorted(slices.Values(environ)) {
		variable, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(variable, envPrefix) {
			continue
		}
		name, ok := byVariable[variable]
		if !ok {
			errs = append(errs, fmt.Errorf("the environment variable %s is for no setting; it would be %s, in capitals and with _ for each dot", variable, envPrefix+"NAME"))
			continue
		}
		set[name] = value
	}
	return set, errors.Join(errs...)
}
