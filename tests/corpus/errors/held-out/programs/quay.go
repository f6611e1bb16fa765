// @SHIFT@
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"
)

var seed int

// @SHIFT@
type Crane struct {
	load  map[string]int
	cable *Cable
}

// @SHIFT@
type Cable struct{ length int }

func (c *Crane) Lift(name string) {
	// @SHIFT@
	c.load[name] = seed
}

func (c *Crane) Reach() int {
	// @SHIFT@
	return c.cable.length + 1
}

func slot(rows []int, n int) int {
	// @SHIFT@
	return rows[n]
}

var ErrJammed = errors.New("spreader jammed")

func dock(ship string) error {
	// @SHIFT@
	return fmt.Errorf("dock %s: %w", ship, ErrJammed)
}

func weigh(v interface{}) int {
	// @SHIFT@
	return v.(int)
}

func stack(n int) int {
	// @SHIFT@
	return stack(n+1) + n
}

type byRow []int

func (b byRow) Len() int           { return len(b) }
func (b byRow) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b byRow) Less(i, j int) bool { return slot(b, i+100) < b[j] }

func berth(length, draft int) {
	// @SHIFT@
	if length > 100 {
		panic(fmt.Sprintf("no berth for a ship of %d m", length))
	}
	// @SHIFT@
	if draft > 10 {
		panic(fmt.Sprintf("channel 7 is too shallow, ship %d needs %d", seed, draft))
	}
}

func serve() {
	// @SHIFT@
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, (&Crane{}).Reach())
	}))
	http.Get(server.URL + "/crane/" + strconv.Itoa(seed))
	time.Sleep(20 * time.Millisecond)
	server.Close()
}

var faults = map[string]func(){
	"nil_map":  func() { (&Crane{}).Lift("box" + strconv.Itoa(seed)) },
	"nil_cable": func() { (&Crane{}).Reach() },
	"bounds":   func() { slot(make([]int, seed%5), 5+seed) },
	"sorted":   func() { sort.Sort(byRow(make([]int, 5+seed%50))) },
	"asleep": func() {
		// @SHIFT@
		ch := make(chan int)
		var wg sync.WaitGroup
		for n := 0; n < seed%3; n++ {
			wg.Add(1)
			go func() { defer wg.Done(); <-make(chan int) }()
		}
		ch <- seed
	},
	"jammed": func() {
		// @SHIFT@
		if err := dock("ship-" + strconv.Itoa(seed)); err != nil {
			panic(err)
		}
	},
	"assertion": func() { weigh(strconv.Itoa(seed)) },
	"closed": func() {
		// @SHIFT@
		ch := make(chan int)
		close(ch)
		close(ch)
	},
	"deep": func() { stack(seed) },
	"goroutine": func() {
		// @SHIFT@
		go func() { slot(nil, seed) }()
		time.Sleep(time.Second)
	},
	"repanicked": func() {
		// @SHIFT@
		defer func() {
			if r := recover(); r != nil {
				panic(fmt.Sprintf("crane %d: %v", seed, r))
			}
		}()
		weigh(nil)
	},
	"served":  serve,
	"long":    func() { berth(101+seed, 1) },
	"shallow": func() { berth(1, 11+seed) },
	"logged": func() {
		// @SHIFT@
		_, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(seed%7+2))
		fmt.Fprintf(os.Stderr, "time=2026-05-01T10:%02d:00.000Z level=ERROR msg=\"tug is away\" tug=%d err=%q\n", seed%60, seed, err)
	},
	"log_line": func() { log.Printf("ERROR reading manifest %d: open /srv/quay/%d.json: permission denied", seed, seed) },
	"writes": func() {
		// @SHIFT@
		m := map[int]int{}
		for n := 0; n < 8; n++ {
			go func() {
				for {
					m[seed]++
				}
			}()
		}
		time.Sleep(5 * time.Second)
	},
}

func main() {
	// @SHIFT@
	seed, _ = strconv.Atoi(os.Args[2])
	faults[os.Args[1]]()
}
