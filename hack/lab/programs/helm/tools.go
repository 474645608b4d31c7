//go:build tools

// Package tools keeps Helm's version in go.mod.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
