package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// A transport that keeps what is sent through it.
type recorder struct {
	*memberlist.NetTransport
	keep func(kind string, bytes []byte)
}

func (r *recorder) WriteToAddress(bytes []byte, to memberlist.Address) (time.Time, error) {
	r.keep("packet", bytes)
	return r.NetTransport.WriteToAddress(bytes, to)
}

func (r *recorder) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := r.NetTransport.DialAddressTimeout(to, timeout)
	if err != nil {
		return nil, err
	}
	return &recordedConn{Conn: conn, keep: r.keep}, nil
}

type recordedConn struct {
	net.Conn
	keep func(kind string, bytes []byte)
	sent []byte
}

func (c *recordedConn) Write(bytes []byte) (int, error) {
	c.sent = append(c.sent, bytes...)
	return c.Conn.Write(bytes)
}

func (c *recordedConn) Close() error {
	if len(c.sent) > 0 {
		c.keep("stream", c.sent)
		c.sent = nil
	}
	return c.Conn.Close()
}

type scenario struct {
	name     string
	address  string
	protocol uint8
	compress bool
	label    string
	key      []byte
}

func key() []byte {
	bytes := make([]byte, 32)
	for at := range bytes {
		bytes[at] = byte(at)
	}
	return bytes
}

type sample struct {
	Scenario string `json:"scenario"`
	Kind     string `json:"kind"`
	Hex      string `json:"hex"`
	// Where nothing is wrapped around it: the type, and its fields as the Go library reads them.
	Type   *int           `json:"type,omitempty"`
	Fields map[string]any `json:"fields,omitempty"`
}

func record() {
	for _, one := range []scenario{
		{name: "plain", address: "127.0.0.1", protocol: 5},
		{name: "plain6", address: "::1", protocol: 5},
		{name: "compressed", address: "127.0.0.1", protocol: 5, compress: true},
		{name: "sealed", address: "127.0.0.1", protocol: 5, label: "genkan", key: key()},
		{name: "sealed-compressed", address: "127.0.0.1", protocol: 5, compress: true, key: key()},
		{name: "padded", address: "127.0.0.1", protocol: 1, key: key()[:16]},
	} {
		play(one)
	}
}

// Three members meet, one is cut off without a word, one leaves.
func play(one scenario) {
	var lock sync.Mutex
	seen := map[string]int{}
	keep := func(kind string, bytes []byte) {
		lock.Lock()
		defer lock.Unlock()
		found := sample{Scenario: one.name, Kind: kind, Hex: hex.EncodeToString(bytes)}
		word := fmt.Sprint(kind)
		if one.key == nil && kind == "packet" {
			inner := bytes
			if inner[0] == 12 {
				inner = inner[5:]
			}
			number := int(inner[0])
			found.Type = &number
			word = fmt.Sprint(kind, inner[0], bytes[0] == 12)
			if number < 7 || number == 9 || number == 11 {
				found.Fields = fieldsOf(inner[1:])
			}
		}
		seen[word]++
		if seen[word] > 2 {
			return
		}
		out, err := json.Marshal(found)
		check(err)
		fmt.Println(string(out))
	}
	members := map[string]*memberlist.Memberlist{}
	for _, name := range []string{"a", "b", "c"} {
		config := memberlist.DefaultLANConfig()
		config.Name = name
		config.BindAddr = one.address
		config.AdvertiseAddr = one.address
		config.BindPort = 0
		config.AdvertisePort = 0
		config.ProtocolVersion = one.protocol
		config.EnableCompression = one.compress
		config.Label = one.label
		config.SecretKey = one.key
		config.ProbeInterval = 100 * time.Millisecond
		config.ProbeTimeout = 30 * time.Millisecond
		config.GossipInterval = 20 * time.Millisecond
		config.SuspicionMult = 3
		config.DisableTcpPings = true
		config.LogOutput = io.Discard
		config.Delegate = &words{meta: []byte{1, 0xff, 0, 0x80}, state: []byte("user state")}
		transport, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{one.address},
			Logger:    quiet(),
		})
		check(err)
		config.BindPort = transport.GetAutoBindPort()
		config.AdvertisePort = config.BindPort
		config.Transport = &recorder{NetTransport: transport, keep: keep}
		member, err := memberlist.Create(config)
		check(err)
		members[name] = member
	}
	host := net.JoinHostPort(one.address, fmt.Sprint(members["a"].LocalNode().Port))
	for _, name := range []string{"b", "c"} {
		_, err := members[name].Join([]string{host})
		check(err)
	}
	time.Sleep(300 * time.Millisecond)
	check(members["c"].Shutdown())
	time.Sleep(1_500 * time.Millisecond)
	check(members["b"].Leave(time.Second))
	check(members["b"].Shutdown())
	check(members["a"].Shutdown())
	_ = os.Stdout.Sync()
}

func fieldsOf(bytes []byte) map[string]any {
	var raw map[string]any
	handle := codec.MsgpackHandle{}
	check(codec.NewDecoderBytes(bytes, &handle).Decode(&raw))
	out := map[string]any{}
	for name, value := range raw {
		if bytes, ok := value.([]byte); ok {
			out[name] = hex.EncodeToString(bytes)
		} else {
			out[name] = value
		}
	}
	return out
}
