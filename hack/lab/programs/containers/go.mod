module genkan.dev/hack/lab/programs/containers

go 1.26.0

require (
	github.com/containerd/containerd/v2 v2.4.2
	github.com/opencontainers/runc v1.5.2
)
