package server

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
)

type Settings struct {
	Name string
}

func Load(path string) (Settings, error) {
	var s Settings
	data, _ := os.ReadFile(path)
	err := json.Unmarshal(data, &s)
	return s, err
}

func Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
}

func Names(paths []string) []string {
	var names []string
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		names = append(names, f.Name())
	}
	return names
}
