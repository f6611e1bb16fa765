// @SHIFT@
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

var seed int

type Node struct {
	next *Node
	name string
}
type Opener interface{ Open() error }

// @SHIFT@
func (n *Node) Last() string {
	// @SHIFT@
	return n.next.next.name
}

func generic[T any](items []T, n int) T {
	// @SHIFT@
	return items[n]
}

func open(o Opener) error {
	// @SHIFT@
	return o.Open()
}

func must[T any](v T, err error) T {
	// @SHIFT@
	if err != nil {
		panic(err)
	}
	return v
}

func load(text string) map[string]int {
	// @SHIFT@
	out := map[string]int{}
	return must(out, json.Unmarshal([]byte(text), &out))
}

func wait() error {
	// @SHIFT@
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	return fmt.Errorf("relay %d: %w", seed, ctx.Err())
}

var faults = map[string]func(){
	"last":    func() { (&Node{}).Last() },
	"generic": func() { generic(strings.Split("a b", " "), 2+seed) },
	"nil_interface": func() { open(nil) },
	"unmarshal": func() { load(`{"a": "` + strconv.Itoa(seed) + `"}`) },
	"waited":  func() { must(0, wait()) },
	"slice": func() {
		// @SHIFT@
		s := make([]int, seed%9)
		_ = s[seed%3+10:]
	},
	"negative": func() {
		// @SHIFT@
		n := -seed
		_ = make([]int, n)
	},
	"divide": func() {
		// @SHIFT@
		zero := seed - seed
		fmt.Println(seed / zero)
	},
	"deferred": func() {
		// @SHIFT@
		defer func() { panic(fmt.Sprintf("cannot close relay %d", seed)) }()
		load("")
	},
	"custom": func() { panic(struct{ Code, Relay int }{500, seed}) },
	"logged": func() { log.SetFlags(log.LstdFlags | log.Lshortfile); log.Printf("[ERROR] relay %d: write tcp 10.0.%d.1:%d->10.0.0.9:443: write: broken pipe", seed, seed%250, 1000+seed) },
	"zap": func() { fmt.Printf("{\"level\":\"error\",\"ts\":%d.5,\"caller\":\"relay/main.go:%d\",\"msg\":\"flush failed\",\"relay\":%d,\"error\":\"context deadline exceeded\",\"stacktrace\":\"main.flush\\n\\t/srv/relay/main.go:%d\\nmain.main\\n\\t/srv/relay/main.go:%d\"}\n", 1777000000+seed, seed+20, seed, seed+20, seed+90) },
	"klog": func() { fmt.Fprintf(os.Stderr, "E0501 10:11:%02d.%06d   %d relay.go:%d] failed to sync relay %q: permission denied\n", seed%60, seed, seed, seed, fmt.Sprint("r", seed)) },
}

func main() {
	// @SHIFT@
	seed, _ = strconv.Atoi(os.Args[2])
	faults[os.Args[1]]()
}
