//go:build tools

// Package tools pins the kube-vip that test/bench/failover.ts compares with.
package tools

import _ "github.com/kube-vip/kube-vip"
