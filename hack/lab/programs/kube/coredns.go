package main

import (
	"flag"
	"os"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/template"
)

// The plugins of the imports above, and no other: each one's dependencies are compiled too. No cache, since nothing is
// forwarded. The first of them that knows the name answers: the template is for what is not the cluster's.
var plugins = []string{"bind", "errors", "loadbalance", "kubernetes", "template"}

// Of CoreDNS's main package, which its plugin brings in. Every program here would have them: `kube-proxy --version`
// would be CoreDNS's.
var flagsOfCoreDNS = map[string]bool{
	"conf": true, "dns.port": true, "p": true, "pidfile": true, "plugins": true, "quiet": true, "version": true,
}

func coredns() {
	dnsserver.Directives = plugins
	os.Args = os.Args[1:]
	coremain.Run()
}

func hideFlagsOfCoreDNS() {
	rest := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	flag.VisitAll(func(f *flag.Flag) {
		if !flagsOfCoreDNS[f.Name] {
			rest.Var(f.Value, f.Name, f.Usage)
		}
	})
	flag.CommandLine = rest
}
