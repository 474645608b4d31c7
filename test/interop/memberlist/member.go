package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// A delegate with fixed metadata and state.
type words struct{ meta, state []byte }

func (w *words) NodeMeta(int) []byte             { return w.meta }
func (w *words) NotifyMsg([]byte)                {}
func (w *words) GetBroadcasts(int, int) [][]byte { return nil }
func (w *words) LocalState(bool) []byte          { return w.state }
func (w *words) MergeRemoteState([]byte, bool)   {}

type memberConfig struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Port     int    `json:"port"`
	Label    string `json:"label"`
	Compress bool   `json:"compress"`
	// Hexadecimal; the first one writes.
	Keys    []string `json:"keys"`
	ProbeMs int      `json:"probeMs"`
}

// A transport whose connections come from the member's own address, as they do on a node that has one.
type bound struct {
	*memberlist.NetTransport
	address string
}

func (b *bound) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout, LocalAddr: &net.TCPAddr{IP: net.ParseIP(b.address)}}
	return dialer.Dial("tcp", to.Addr)
}

type teller struct{ lock sync.Mutex }

func (t *teller) tell(words map[string]any) {
	t.lock.Lock()
	defer t.lock.Unlock()
	out, err := json.Marshal(words)
	check(err)
	fmt.Println(string(out))
}

func (t *teller) node(event string, node *memberlist.Node) {
	t.tell(map[string]any{
		"event": event, "name": node.Name, "address": node.Addr.String(), "port": node.Port,
		"meta": hex.EncodeToString(node.Meta),
	})
}

func (t *teller) NotifyJoin(node *memberlist.Node)   { t.node("join", node) }
func (t *teller) NotifyLeave(node *memberlist.Node)  { t.node("leave", node) }
func (t *teller) NotifyUpdate(node *memberlist.Node) { t.node("update", node) }

func runMember(text string) {
	var wanted memberConfig
	check(json.Unmarshal([]byte(text), &wanted))
	out := &teller{}
	config := memberlist.DefaultLANConfig()
	config.Name = wanted.Name
	config.BindAddr, config.AdvertiseAddr = wanted.Address, wanted.Address
	config.BindPort, config.AdvertisePort = wanted.Port, wanted.Port
	config.Label = wanted.Label
	config.EnableCompression = wanted.Compress
	config.ProbeInterval = time.Duration(wanted.ProbeMs) * time.Millisecond
	config.ProbeTimeout = config.ProbeInterval / 3
	config.GossipInterval = 50 * time.Millisecond
	config.TCPTimeout = 2 * time.Second
	config.LogOutput = os.Stderr
	config.Events = out
	config.Delegate = &words{state: []byte("state of a stranger")}
	var keys [][]byte
	for _, one := range wanted.Keys {
		keys = append(keys, unhex(one))
	}
	ring, err := memberlist.NewKeyring(keys, keys[0])
	check(err)
	config.Keyring = ring
	transport, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{wanted.Address}, BindPort: wanted.Port, Logger: quiet(),
	})
	check(err)
	config.Transport = &bound{NetTransport: transport, address: wanted.Address}
	member, err := memberlist.Create(config)
	check(err)
	out.tell(map[string]any{"event": "ready", "port": member.LocalNode().Port})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		var err error
		switch word {
		case "join":
			_, err = member.Join([]string{rest})
		case "leave":
			err = member.Leave(2 * time.Second)
		case "add-key":
			err = ring.AddKey(unhex(rest))
		case "use-key":
			err = ring.UseKey(unhex(rest))
		case "remove-key":
			err = ring.RemoveKey(unhex(rest))
		case "members":
			names := []string{}
			for _, node := range member.Members() {
				names = append(names, node.Name)
			}
			out.tell(map[string]any{"event": "members", "names": names, "health": member.GetHealthScore()})
			continue
		default:
			err = fmt.Errorf("unknown command %s", word)
		}
		if err != nil {
			out.tell(map[string]any{"event": "done", "of": word, "error": err.Error()})
		} else {
			out.tell(map[string]any{"event": "done", "of": word})
		}
	}
	check(member.Shutdown())
}

func unhex(text string) []byte {
	bytes, err := hex.DecodeString(text)
	check(err)
	return bytes
}
