package main

// @SHIFT@

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"text/template"
	"time"
)

var (
	seed  int
	clerk string
)

// @SHIFT@
type Lane struct {
	Number int
	Rates  map[string]float64
	next   *Lane
}

type TollError struct {
	Plate string
	Err   error
}

func (e *TollError) Error() string { return "toll of " + e.Plate + ": " + e.Err.Error() }
func (e *TollError) Unwrap() error { return e.Err }

var ErrClosed = errors.New("lane is closed")

// @SHIFT@
func (l *Lane) Last() *Lane {
	for l.next != nil {
		l = l.next
	}
	return l.next
}

// @SHIFT@
func (l Lane) Charge(plate string) error {
	// @SHIFT@
	if _, ok := l.Rates[plate]; !ok {
		return &TollError{plate, ErrClosed}
	}
	return nil
}

type Meter interface{ Read() int }
type Sensor struct{ values []int }

// @SHIFT@
func (s Sensor) Read() int { return s.values[len(s.values)-1-seed] }

// @SHIFT@
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// @SHIFT@
func through(job func()) {
	if seed%2 == 0 {
		job()
		return
	}
	var once sync.Once
	once.Do(job)
}

func handled(handler http.HandlerFunc) {
	// @SHIFT@
	server := httptest.NewServer(handler)
	defer server.Close()
	http.Get(server.URL + "/lanes/" + strconv.Itoa(seed))
	time.Sleep(20 * time.Millisecond)
}

var faults = map[string]func(){
	"wrapped": func() {
		// @SHIFT@
		if err := (Lane{Number: seed}).Charge(fmt.Sprint(clerk, seed)); err != nil {
			panic(fmt.Errorf("lane %d: %w", seed, err))
		}
	},
	"last": func() { through(func() { fmt.Println((&Lane{}).Last().Number) }) },
	"meter": func() {
		// @SHIFT@
		var meter Meter = Sensor{[]int{1, 2}}
		through(func() { fmt.Println(meter.Read()) })
	},
	"must": func() {
		// @SHIFT@
		fmt.Println(must(strconv.Atoi(clerk)))
	},
	"nil_func": func() {
		// @SHIFT@
		var hook func(int)
		hook(seed)
	},
	"closed_nil": func() {
		// @SHIFT@
		var gate chan int
		close(gate)
	},
	"twice_closed": func() {
		// @SHIFT@
		gate := make(chan int)
		close(gate)
		close(gate)
	},
	"unlocked": func() {
		// @SHIFT@
		var lock sync.RWMutex
		lock.RUnlock()
	},
	"waitgroup": func() {
		// @SHIFT@
		var group sync.WaitGroup
		group.Add(-1 - seed)
	},
	"made": func() {
		// @SHIFT@
		fmt.Println(len(make([]int, seed-1000)))
	},
	"hash": func() {
		// @SHIFT@
		lanes := map[any]int{}
		lanes[[]int{seed}] = 1
	},
	"comparing": func() {
		// @SHIFT@
		var a, b any = map[string]int{"x": seed}, map[string]int{}
		fmt.Println(a == b)
	},
	"array": func() {
		// @SHIFT@
		fmt.Println((*[64]int)(make([]int, seed%60)))
	},
	"handler": func() {
		// @SHIFT@
		handled(func(w http.ResponseWriter, r *http.Request) {
			var lane *Lane
			fmt.Fprintln(w, lane.Rates[r.URL.Path])
		})
	},
	"handler_error": func() {
		// @SHIFT@
		handled(func(w http.ResponseWriter, r *http.Request) {
			panic(&TollError{clerk, fs.ErrPermission})
		})
	},
	"value": func() {
		// @SHIFT@
		var value atomic.Value
		value.Store(seed)
		value.Store(clerk)
	},
	"context": func() {
		// @SHIFT@
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+seed)*time.Millisecond)
		defer cancel()
		<-ctx.Done()
		panic(fmt.Sprintf("sync of lane %d: %v", seed, ctx.Err()))
	},
	"fatal_config": func() {
		// @SHIFT@
		_, err := os.ReadFile(fmt.Sprintf("/etc/toll/%s.yaml", clerk))
		log.Fatalf("cannot start: %v", err)
	},
	"fatal_bind": func() {
		// @SHIFT@
		one, _ := net.Listen("tcp", "127.0.0.1:0")
		log.SetFlags(log.LstdFlags | log.Lshortfile)
		log.Fatal(http.ListenAndServe(one.Addr().String(), nil))
	},
	"certificate": func() {
		// @SHIFT@
		server := httptest.NewTLSServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(new(discard), "", 0)
		_, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{}}}).Get(server.URL + "/" + clerk)
		log.SetPrefix("[ERROR] ")
		log.Printf("cannot reach the bank: %v", err)
	},
	"json_type": func() {
		// @SHIFT@
		var lane Lane
		err := json.Unmarshal([]byte(fmt.Sprintf(`{"Number":"%d"}`, seed)), &lane)
		fmt.Fprintf(os.Stderr, "time=%q level=error msg=%q error=%q lane=%d\n", time.Now().Format(time.RFC3339), "bad request", err.Error(), seed)
	},
	"no_program": func() {
		// @SHIFT@
		must(exec.Command("plate-reader", clerk).Output())
	},
	"exit_status": func() {
		// @SHIFT@
		must(exec.Command("sh", "-c", "exit "+strconv.Itoa(1+seed%5)).Output())
	},
	"template": func() {
		// @SHIFT@
		template.Must(template.New("bill").Parse("{{ .Plate | euros }}" + clerk))
	},
	"log_zero": func() {
		fmt.Fprintf(os.Stderr, `{"level":"error","error":"pq: duplicate key value violates unique constraint \"passages_pkey\"","passage":%d,"time":%d,"message":"insert failed"}`+"\n", seed*31, 1_700_000_000+seed)
	},
	"log_grpc": func() {
		fmt.Fprintf(os.Stderr, "%s ERROR rpc failed {\"method\": \"/toll.v1.Lanes/Open\", \"code\": \"Unavailable\", \"error\": \"rpc error: code = Unavailable desc = connection error: desc = \\\"transport: Error while dialing: dial tcp 10.1.%d.%d:50051: connect: connection refused\\\"\", \"lane\": %d}\n", time.Unix(int64(1_700_000_000+seed), 0).UTC().Format("2006-01-02T15:04:05.000Z"), seed%7, seed, seed)
	},
	"log_auth": func() {
		fmt.Fprintf(os.Stderr, "E%02d%02d 10:00:%02d.%06d %7d auth.go:%d] \"Unhandled\" err=\"invalid bearer token for user %s: token is expired\"\n", 11, 1+seed%28, seed%60, seed*977, seed*3, 80, clerk)
	},
}

type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }

func main() {
	seed, _ = strconv.Atoi(os.Args[2])
	clerk = []string{"abel", "bora", "cleo", "d.quist", "elif", "farid"}[seed%6]
	// @SHIFT@
	faults[os.Args[1]]()
}
