package server

import (
	"encoding/json"
	"os"
)

type Settings struct {
	Name string
}

func Load(path string) (Settings, error) {
	var s Settings
	data, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	err = json.Unmarshal(data, &s)
	return s, err
}
