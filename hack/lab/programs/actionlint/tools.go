//go:build tools

// Package tools keeps actionlint's version in go.mod.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
