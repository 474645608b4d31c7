// A member as hashicorp/memberlist makes it, for tests: `memberlist member` runs one that is told what to do by lines
// on its standard input and tells what it sees by lines of JSON; `memberlist record` prints what members say to each
// other, in octets and as msgpack read by another hand than ours.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: memberlist member CONFIG | record")
	}
	switch os.Args[1] {
	case "member":
		if len(os.Args) != 3 {
			fail("usage: memberlist member CONFIG (JSON)")
		}
		runMember(os.Args[2])
	case "record":
		record()
	default:
		fail("unknown command " + os.Args[1])
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}
