//go:build tools

// Package tools pins the MetalLB that test/takeover takes a cluster over from.
package tools

import (
	_ "go.universe.tf/metallb/controller"
	_ "go.universe.tf/metallb/speaker"
)
