// SPDX-License-Identifier: Apache-2.0

// Many goroutines on many threads that open files, connect and are interrupted: the runtime
// pre-empts by a signal every 10 ms, and a timer of the program adds its own.
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func echo(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			io.Copy(connection, connection)
		}()
	}
}

func talk(address string, number int) {
	connection, err := net.Dial("tcp", address)
	check(err)
	defer connection.Close()
	fmt.Fprintf(connection, "line %d\n", number)
	line, err := bufio.NewReader(connection).ReadString('\n')
	check(err)
	if line != fmt.Sprintf("line %d\n", number) {
		check(fmt.Errorf("got %q", line))
	}
}

func files(number int) {
	for i := 0; i < 20; i++ {
		name := fmt.Sprintf("file-%d-%d", number, i)
		check(os.WriteFile(name, []byte(name), 0o640))
		data, err := os.ReadFile(name)
		check(err)
		if string(data) != name {
			check(fmt.Errorf("%s holds %q", name, data))
		}
		if _, err := os.Open(name + "-missing"); !os.IsNotExist(err) {
			check(fmt.Errorf("missing: %v", err))
		}
	}
}

func spin(stop *int32, sum *uint64) {
	for atomic.LoadInt32(stop) == 0 {
		for i := uint64(0); i < 1000000; i++ {
			*sum += i
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go echo(listener)

	signals := make(chan os.Signal, 1000)
	signal.Notify(signals, syscall.SIGUSR1)
	var stop int32
	var sums [2]uint64
	for i := range sums {
		go spin(&stop, &sums[i])
	}
	go func() {
		for atomic.LoadInt32(&stop) == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			time.Sleep(time.Millisecond)
		}
	}()

	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			files(number)
			talk(listener.Addr().String(), number)
		}(i)
	}
	group.Wait()
	output, err := exec.Command("/bin/cat", "file-1-1").Output()
	check(err)
	atomic.StoreInt32(&stop, 1)
	fmt.Printf("%s %v %x\n", output, len(signals) > 0, sha256.Sum256(output))
}
