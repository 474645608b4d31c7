//go:build tools

// Package tools names what is built from this module: Kubernetes' own end-to-end tests, and the program that their pods run.
package tools

import (
	_ "k8s.io/kubernetes/test/e2e"
	_ "k8s.io/kubernetes/test/images/agnhost"
)
