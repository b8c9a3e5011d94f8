// SPDX-License-Identifier: Apache-2.0

// What Go's net does by itself: many requests at once over connections of their own, a dialer that
// tries two addresses (one of which never answers), and a deadline that passes. Its sockets are in
// epoll before they are connected.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

func fetch(url string) int64 {
	answer, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer answer.Body.Close()
	size, _ := io.Copy(io.Discard, answer.Body)
	return size
}

func main() {
	host, port, silent, unreachable := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	var group sync.WaitGroup
	sizes := make([]int64, 20)
	for i := range sizes {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			sizes[i] = fetch("http://" + net.JoinHostPort(host, port) + "/file")
		}(i)
	}
	group.Wait()
	total := int64(0)
	for _, size := range sizes {
		total += size
	}
	soon, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, late := (&net.Dialer{}).DialContext(soon, "tcp", net.JoinHostPort(silent, port))
	_, never := net.Dial("tcp", net.JoinHostPort(unreachable, port))
	fmt.Println(total, os.IsTimeout(late), errors.Is(never, syscall.EHOSTUNREACH))
}
